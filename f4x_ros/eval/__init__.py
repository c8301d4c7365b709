# SPDX-License-Identifier: Apache-2.0
"""How good, how fast and how large: numbers and files about a run."""
