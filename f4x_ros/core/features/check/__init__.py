# SPDX-License-Identifier: Apache-2.0
"""Whether a loaded model makes sense of pictures that come with the package (`f4x weights check`).

`outcome` is one question with a known answer, `naming`, `clicks` and `likeness` ask them, and
`verdict` says what follows.
"""

from f4x_ros.core.features.check.outcome import Outcome, Trial
from f4x_ros.core.features.check.verdict import Verdict, check

__all__ = ["Outcome", "Trial", "Verdict", "check"]
