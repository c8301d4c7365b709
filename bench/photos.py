# SPDX-License-Identifier: Apache-2.0
"""Photographs with marked words: are they pointed at, outlined, and told from what is not there?

    python bench/photos.py ../shared/data/hololens [--json FILE] [--pictures DIR]
    python bench/photos.py ../shared/data/bedroom          # pictures alone, by our own marks

FOLDER is a recording with a `boxes.json` (see `photo_marks`), or one whose marks are in
`bench/photos/NAME.json`. First the extractor alone, one picture at a time, 320 pixels wide:

    point      share of (picture, word) with boxes where the maximum of the relevancy lies in a box
    auroc      best relevancy where the word is shown against words that are nowhere
    iou        with boxes, at the best threshold of each word
    single_iou with outlines, at the extractor's own threshold; single_iou_best: at each word's best

then, where the recording has depth and poses, the map of all of it (standing prompts of `f4x run`,
nothing held out), asked from the cameras of those pictures:

    field_point      maximum of the answer's mask; field_relevancy_point: of the relevancy, drawn
    field_iou        of the answer's mask with outlines; field_iou_best: of the relevancy, drawn
    ..._said_...     presence, of the whole map, counted in words
    auto_...         the map's own names at the end: right, wrong, changes after the first 40 frames
    features_ms      wall time of the features per frame; features_cpu_ms: of all threads together

`_coco`: words that COCO has a class for, see `photo_marks`; `_all`: all. What an extractor does not
understand has relevancy 0.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "bench"))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from photo_field import FieldAnswers, asked_of_field, can_be_mapped, map_of  # noqa: E402
from photo_marks import Marks, Outlines, is_coco, read_marks, read_outlines  # noqa: E402
from photo_names import also_there, numbers_of  # noqa: E402
from photo_scores import (  # noqa: E402
    best_mask_ious,
    by_word,
    coco,
    every,
    mask_ious,
    said,
    share,
)
from photo_sheets import Sheets  # noqa: E402
from photo_singles import Singles, asked_of_pictures  # noqa: E402

from f4x_ros.cli.settings import read_settings  # noqa: E402
from f4x_ros.cli.table import table  # noqa: E402
from f4x_ros.core.data import Presence  # noqa: E402
from f4x_ros.core.errors import F4xError  # noqa: E402

_FOUND = 0.5  # of the pictures that show a word: "found in ..."


def main(arguments: list[str] | None = None) -> int:
    """See the module."""
    given = _options().parse_args(arguments)
    torch.set_num_threads(given.threads)
    try:
        numbers = measure(given)
    except F4xError as error:
        print(f"photos: {error}", file=sys.stderr)
        return 2
    flat = [(key, _shown(v)) for key, v in numbers.items() if not isinstance(v, dict)]
    print(table(flat, ("", "")))
    if given.json:
        given.json.write_text(json.dumps(numbers, indent=1) + "\n")
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("folder", type=Path, help="a recording, or photographs")
    parser.add_argument("--marks", type=Path, help="instead of the folder's own boxes.json")
    parser.add_argument("--singles", action="store_true", help="pictures alone, no map")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="map each N-th frame")
    parser.add_argument("--map", type=Path, help="ask this map instead of making one")
    parser.add_argument("--save-map", type=Path, help="keep the map in this file")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="assignments",
        help="an option, e.g. features.extractor=openclip",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="draw what was found there")
    return parser


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """All numbers by name."""
    marks = read_marks(given.folder, given.marks)
    config, _ = read_settings(None, given.assignments)
    outlines = read_outlines(given.folder, marks.size)
    sheets = Sheets(given.pictures, marks, outlines) if given.pictures else None
    singles = asked_of_pictures(given.folder, marks, config, sheets)
    numbers = _of_singles(singles, marks, outlines)
    if given.singles or not (given.map or can_be_mapped(given.folder)):
        return numbers
    perception, times, named = map_of(given.folder, config, given.every, given.map)
    if named is not None:
        times |= numbers_of(named, marks, also_there(given.folder))
    if given.save_map:
        perception.save(given.save_map)
    answers = asked_of_field(perception, given.folder, marks, sheets)
    return numbers | _of_field(answers, marks, outlines) | times


def _of_singles(singles: Singles, marks: Marks, outlines: Outlines) -> dict[str, Any]:
    relevancies, threshold = singles.relevancies, singles.threshold
    hits = relevancies.hits()
    shown = relevancies.found(threshold, aimed=True)
    nowhere = relevancies.found(threshold, aimed=False)
    ious = mask_ious(singles.masks(marks.size, outlines), outlines)
    words = by_word(hits)
    rows = [
        (word, "yes" if is_coco(word) else "", f"{words[word][0]:.2f}", f"{sum(own)} of {len(own)}")
        for word, own in sorted(shown.items())
    ]
    print(table(rows, ("word", "COCO", "point", "found in")), "\n")
    rows = [(word, f"{sum(own)} of {len(own)}") for word, own in nowhere.items()]
    print(table(rows, ("absent", "said in")), "\n")
    return {
        "extractor": singles.extractor,
        "pictures": len(marks.boxes),
        "pairs": len(hits),
        "pairs_coco": sum(coco(word) for _, word in hits),
        "point_coco": share(hits, coco),
        "point_all": share(hits, every),
        "auroc_coco": relevancies.auroc(coco),
        "auroc_all": relevancies.auroc(every),
        "iou_coco": relevancies.best_box_iou(coco),
        "iou_all": relevancies.best_box_iou(every),
        "single_iou_coco": share(ious, coco),
        "single_iou_best_coco": share(best_mask_ious(relevancies.maps, outlines), coco),
        "encode_cpu_ms": singles.cpu_ms,
        "not_understood": ", ".join(singles.not_understood),
        "found": {word: [sum(own), len(own)] for word, own in shown.items()},
        "absent_found": {word: [sum(own), len(own)] for word, own in nowhere.items()},
        "absent_words_found": sum(any(own) for own in nowhere.values()),
        "point_by_word": {word: mean for word, (mean, _) in words.items()},
    }


def _of_field(answers: FieldAnswers, marks: Marks, outlines: Outlines) -> dict[str, Any]:
    ours, drawn = answers.masks.hits(), answers.relevancies.hits()
    ious = mask_ious(answers.selected(marks.size, outlines), outlines)
    own = [word for word in marks.present if coco(word)]
    others = [word for word in marks.present if not coco(word)]
    said_of = answers.presence
    words, overlap = by_word(ours), by_word(ious)
    rows = [
        (
            word,
            "yes" if is_coco(word) else "",
            f"{words[word][0]:.2f}",
            f"{overlap[word][0]:.2f}" if word in overlap else "",
            said_of[word].name.lower().replace("_", " ") if word in said_of else "not understood",
            f"{answers.sure.get(word, 0.0):.2f}",
        )
        for word in marks.present
    ]
    rows += [
        (f"{word} (absent)", "", "", "", said_of[word].name.lower().replace("_", " "),
         f"{answers.sure[word]:.2f}")
        for word in marks.absent if word in said_of
    ]  # fmt: skip
    head = ("word, in the map", "COCO", "point", "IoU", "is it there?", "sure")
    print(table(rows, head), "\n")
    yes, no, doubt = Presence.PRESENT, Presence.NOT_PRESENT, Presence.UNSURE
    return {
        "field_point_coco": share(ours, coco),
        "field_point_all": share(ours, every),
        "field_relevancy_point_coco": share(drawn, coco),
        "field_relevancy_point_all": share(drawn, every),
        "field_auroc_all": answers.relevancies.auroc(every),
        "field_iou_coco": share(ious, coco),
        "field_iou_best_coco": share(best_mask_ious(answers.relevancies.maps, outlines), coco),
        "field_iou_pairs": sum(coco(word) for _, word in ious),
        "absent_said_present": len(said(said_of, marks.absent, yes)),
        "absent_said_unsure": len(said(said_of, marks.absent, doubt)),
        "absent_words": len(marks.absent),
        "present_coco_said_present": len(said(said_of, own, yes)),
        "present_coco_said_unsure": len(said(said_of, own, doubt)),
        "present_coco_said_not_present": len(said(said_of, own, no)),
        "present_coco_words": len(own),
        "present_other_said_present": len(said(said_of, others, yes)),
        "present_other_said_not_present": len(said(said_of, others, no)),
        "field_point_by_word": {word: mean for word, (mean, _) in words.items()},
        "field_iou_by_word": {word: mean for word, (mean, _) in overlap.items()},
        "presence": {word: one.name for word, one in said_of.items()},
        "sure": answers.sure,
    }


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if np.isfinite(value) else str(value)
    return "-" if value is None else str(value)


if __name__ == "__main__":
    sys.exit(main())
