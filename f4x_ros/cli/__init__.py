# SPDX-License-Identifier: Apache-2.0
"""The command `f4x`; see `f4x_ros.cli.main`."""
