# SPDX-License-Identifier: Apache-2.0
"""Reports, tables against a baseline, pictures."""
