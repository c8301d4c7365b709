# SPDX-License-Identifier: Apache-2.0
"""Frames into Gaussians: retire what is gone, insert what is new, refine, stay in budget.

In: a `View`. Out: a field that explains it, and what was counted.
"""

from f4x_ros.core.mapping.mapper import Followed, Mapper, MappingCounts

__all__ = ["Followed", "Mapper", "MappingCounts"]
