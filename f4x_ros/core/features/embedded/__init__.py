# SPDX-License-Identifier: Apache-2.0
"""A small network of our own whose pixels live in the space of words."""
