# SPDX-License-Identifier: Apache-2.0
"""Eyes for photographs: a detector of everyday things, and what it finds as evidence per pixel."""
