# SPDX-License-Identifier: Apache-2.0
"""What is evaluated: the library or the node, and the recorder of a run."""
