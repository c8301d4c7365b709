# SPDX-License-Identifier: Apache-2.0
"""The method: torch, numpy and OpenCV, never ROS (an import-linter contract enforces it)."""
