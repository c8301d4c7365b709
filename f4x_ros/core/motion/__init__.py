# SPDX-License-Identifier: Apache-2.0
"""Objects over time."""
