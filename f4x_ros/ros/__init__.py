# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 side: nodes, conversions, transforms, diagnostics. Glue; the method is in `core`."""
