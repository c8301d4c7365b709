# SPDX-License-Identifier: Apache-2.0
"""How things are measured: which questions are asked of whom, and when."""
