# SPDX-License-Identifier: Apache-2.0
"""The map on disk: schema, checks, export."""
