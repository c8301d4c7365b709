# SPDX-License-Identifier: Apache-2.0
"""Tests of the extra [models]; run them with `make test-models`."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.models)
