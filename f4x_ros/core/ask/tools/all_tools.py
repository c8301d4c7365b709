# SPDX-License-Identifier: Apache-2.0
"""All tools, with what people and language models are told of them."""

from __future__ import annotations

from f4x_ros.core.ask.tools import changes, looks, motions, places, relations, sights
from f4x_ros.core.ask.tools.space import RELATIONS, SEEN_RELATIONS
from f4x_ros.core.ask.tools.table import Argument, Tool

RELATION_WORDS = (*RELATIONS, *SEEN_RELATIONS, "between")

_THING = Argument("thing", "thing", "words such as 'red mug', or #id of an earlier result", True)
_THINGS = Argument("thing", "thing", "kind of things; 'things' for all", False)
_AT = Argument(
    "at", "seconds", "moment: seconds since the first frame, negative: before the last; "
    "without it the last frame",
)  # fmt: skip
_SINCE = Argument("since", "seconds", "begin of the span, as `at`; without it the first frame")
_UNTIL = Argument("until", "seconds", "end of the span, as `at`; without it the last frame")
_SPAN = (_SINCE, _UNTIL)
_VIEW = Argument("view", "thing", "who looks: 'camera' (default), or a thing")
_AMONG = Argument("among", "things", "the things to choose from", True)
_RELATION = Argument("relation", "word", "the relation", True, RELATION_WORDS)
_TO = Argument("to", "thing", "what it is relative to: words, #id or 'camera'", True)
_TO2 = Argument("to2", "thing", "the second thing of 'between'")
_NEAR = Argument("which", "word", "nearest (default) or farthest", False, ("nearest", "farthest"))
_MOST = Argument("which", "word", "most (default) or least", False, ("most", "least"))

TOOLS: tuple[Tool, ...] = (
    Tool("find", "Whether something is there, and everything that answers to it.",
         (_THING, _AT), places.find),
    Tool("count", "How many things there are, or stand in a relation to something.",
         (_THING, _AT, Argument("relation", "word", "only those in this relation", False,
                                RELATION_WORDS),
          Argument("to", "thing", "what the relation is to"), _TO2), relations.count),
    Tool("where", "Where something is: position [m], what it is on and next to.",
         (_THING, _AT), places.where),
    Tool("distance", "Distance [m] between the middles of two things, or of one and the camera.",
         (Argument("a", "thing", "words, #id or 'camera'", True),
          Argument("b", "thing", "the other one; default 'camera'"), _AT), places.distance),
    Tool("side", "Whether a thing is left or right of another (or of the viewer) as seen by the "
         "camera, by a moving thing's own front, or by one who stands at a thing and looks at "
         "another (`view` and `towards`).",
         (_THING, Argument("of", "thing", "left or right of what; the viewer itself by default"),
          _VIEW, Argument("towards", "thing", "what the viewer looks at"), _AT), places.side),
    Tool("front", "Whether a thing is in front of another or behind it, as seen by somebody.",
         (_THING, Argument("of", "thing", "the other thing", True), _VIEW, _AT), places.front),
    Tool("direction", "In which direction of the map (+x, -x, +y, -y) a thing is from another.",
         (_THING, Argument("of", "thing", "from where", True), _AT), places.direction),
    Tool("height", "Whether a thing is above or below another (middles of their boxes).",
         (_THING, Argument("of", "thing", "the other thing", True), _AT), places.height),
    Tool("relation", "Whether a thing is on, in, above, below, next to, left of, right of, in "
         "front of, behind another, or between two.",
         (_THING, _RELATION, _TO, _TO2, _AT), relations.relation),
    Tool("related", "All things in a relation to something.",
         (_RELATION, _TO, _TO2, _THINGS, _AT), relations.related),
    Tool("support", "What a thing stands on or is in.", (_THING, _AT), relations.support),
    Tool("nearest", "The thing nearest to another, or farthest, of all or of a kind.",
         (_TO, _THINGS, _NEAR, _AT), places.nearest),
    Tool("closer", "Which of some named things is nearest to another, or farthest.",
         (_TO, _AMONG, _NEAR, _AT), places.closer),
    Tool("size", "Size of a thing's box [m].",
         (_THING, Argument("dimension", "word", "what of it", False, looks.DIMENSIONS), _AT),
         looks.size),
    Tool("color", "Colour of a thing, in a word.", (_THING, _AT), looks.color),
    Tool("compare", "Which of several things is the largest, tallest or fastest, or least so.",
         (Argument("quantity", "word", "what is compared", True, looks.QUANTITIES), _AMONG, _MOST,
          _AT), looks.compare),
    Tool("speed", "Speed of a thing [m/s].", (_THING, _AT), motions.speed),
    Tool("heading", "Which way a thing moves: left, right, towards or away as the camera sees it, "
         "and along the map's axes.", (_THING, _AT), motions.heading),
    Tool("towards", "Whether a thing comes nearer to another or goes away from it.",
         (_THING, _TO, _AT), motions.towards),
    Tool("travelled", "The way a thing took in a span, and its length [m].",
         (_THING, *_SPAN), motions.travelled),
    Tool("changed", "All things that moved, are moving (at a moment), appeared or left.",
         (Argument("event", "word", "what happened", True, changes.CHANGES), _THINGS,
          Argument("among", "things", "only of these"), _AT, *_SPAN), changes.changed),
    Tool("when", "When something happened to a thing [s since the first frame].",
         (_THING, Argument("event", "word", "what", True, changes.EVENTS), *_SPAN), changes.when),
    Tool("order", "In which order events happened.",
         (Argument("events", "events", "two or more: {thing, event}", True, changes.EVENTS),
          *_SPAN), changes.order),
    Tool("visible", "Whether a thing can be seen from the camera, or from where a thing is.",
         (_THING, _VIEW, _AT), sights.visible),
    Tool("hidden_by", "What is in the way of seeing a thing.",
         (_THING, _VIEW, _AT), sights.hidden_by),
)  # fmt: skip
"""In the order in which they are listed."""
