# SPDX-License-Identifier: Apache-2.0
"""Pictures for people: overlays, the story of a run on one page, videos."""
