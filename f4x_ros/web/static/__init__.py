# SPDX-License-Identifier: Apache-2.0
"""The page itself: what the server hands out to browsers, as it is."""
