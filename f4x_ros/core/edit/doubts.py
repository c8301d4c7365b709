# SPDX-License-Identifier: Apache-2.0
"""What speaks against a selection: reasons to ask back instead of editing.

A selection is looked at in the map (is it in one piece, is the thing gone without it), among the
followed things (does it take another one along), by its words (does what it is called without its
colours mean it, too), and in pictures from the camera's way (does any show it).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from f4x_ros.core.ask import QueryScene
from f4x_ros.core.ask.answer import Answer
from f4x_ros.core.ask.tools import State
from f4x_ros.core.data import Presence, Track
from f4x_ros.core.edit.choose import Chosen
from f4x_ros.core.features.phrases import described
from f4x_ros.core.field import MIN_OPACITY

_TAKEN = 0.6  # share of another thing's Gaussians from which on it is taken along
_LEAST = 6  # Gaussians of a thing that counts
_GROWN_M = 0.05

Ask = Callable[[str], Answer]
"""What answers to words at the moment."""


def doubt_of(
    scene: QueryScene,
    chosen: Chosen,
    words: str,
    state: State,
    own: int,
    ask: Ask,
    is_shown: Callable[[], bool],
) -> str:
    """Why a selection is not surely what was meant; "" if it is.

    Args:
        scene: the map at the moment.
        chosen: the selection.
        words: what is meant.
        state: its box.
        own: its track, or 0 or less.
        ask: the map, by words.
        is_shown: whether a picture from the camera's way shows the selection.
    """
    if chosen.left:
        return f"with it taken away {words!r} is still found in its place"
    if not chosen.good:
        return f"only {100 * chosen.compact:.0f} % of it hang together"
    if along := taken_along(scene, chosen.rows, words, own):
        return f"it would take {along} along"
    if other := otherwise(words, state, ask):
        return other
    if not is_shown():
        return "no view of the camera shows it"
    return ""


def taken_along(scene: QueryScene, rows: Tensor, words: str, own: int) -> str:
    """A followed thing of another name, most of which is selected (mask [N]); or ""."""
    snapshot = scene.snapshot
    solid = snapshot.opacities >= MIN_OPACITY
    name = set(words.lower().split())
    for track in scene.tracks:
        if track.id == own or name <= set(track.label.lower().split()):
            continue
        its = solid & (snapshot.object_ids == track.id)
        count = int(its.sum())
        if count >= _LEAST and int((its & rows).sum()) >= _TAKEN * count:
            return f"{track.label} #{track.id}"
    return ""


def otherwise(words: str, state: State, ask: Ask) -> str:
    """Whether a "red toy car" is no toy car: then what that finds instead; or "".

    Models confuse a thing with one of its colour and of another kind. What answers to all of the
    words and not to the kind alone, while something else does, is doubtful.
    """
    kind = described(words).kind
    if not kind or kind == words:
        return ""
    answer = ask(kind)
    if answer.presence is not Presence.PRESENT or any(_meets(one, state) for one in answer.tracks):
        return ""
    places = "; ".join("({:.2f}, {:.2f}, {:.2f})".format(*one.position) for one in answer.tracks)
    return f"{kind!r} means something else, at {places}" if places else ""


def _meets(track: Track, state: State) -> bool:
    """Whether two boxes overlap."""
    reach = (np.asarray(track.size) + state.size) / 2 + _GROWN_M
    return bool((np.abs(track.position - state.center) <= reach).all())
