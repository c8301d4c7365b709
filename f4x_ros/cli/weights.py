# SPDX-License-Identifier: Apache-2.0
"""List, fetch and verify the checkpoints of published models.

`list` says what there is and where it lies here. `fetch` downloads one: into the cache of the
Hugging Face hub, where the extractors look, or with --to into a folder, to be carried to a machine
without network and given there as checkpoint=PATH. `verify` compares SHA-256: exit code 1 if one
differs. Nothing else in f4x downloads anything, unless an extractor's option allows it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from f4x_ros.cli.table import table

if TYPE_CHECKING:
    from f4x_ros.core.features.weights import Checkpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="what is known, and whether it is here")
    listing.add_argument("--urls", action="store_true", help="where they are published")

    fetching = actions.add_parser("fetch", help="download one")
    fetching.add_argument("name", help="as `f4x weights list` has it")
    fetching.add_argument("--to", metavar="FOLDER", type=Path, help="not into the cache but here")

    verifying = actions.add_parser("verify", help="compare SHA-256")
    verifying.add_argument("name", nargs="?", help="default: all that are in the cache")
    verifying.add_argument("--file", metavar="PATH", type=Path, help="a file outside the cache")
    verifying.add_argument(
        "--sha256",
        metavar="HEX",
        type=_sha256,
        help="what to compare with, as another machine printed it",
    )

    for action in (listing, fetching, verifying):
        action.add_argument(
            "--cache", metavar="FOLDER", type=Path, help="of the hub, default: its own"
        )
        action.add_argument("--debug", action="store_true", default=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    return {"list": _list, "fetch": _fetch, "verify": _verify}[options.action](options)


def _list(options: argparse.Namespace) -> int:
    from f4x_ros.core.features.weights import CHECKPOINTS, cache_folder, cached, place

    rows = [
        (
            known.name,
            known.extractor,
            f"{known.megabytes:.0f}",
            known.licence,
            known.sha256 or "unknown",
            "yes" if cached(known, options.cache) else "no",
            known.url if options.urls else place(known, options.cache).name,
        )
        for known in CHECKPOINTS
    ]
    last = "published at" if options.urls else "folder in the cache"
    print(table(rows, ("name", "extractor", "MB", "licence", "SHA-256", "here", last)))
    print(f"\nThe cache is {options.cache or cache_folder()}.")
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from f4x_ros.core.features.download import sha256_of
    from f4x_ros.core.features.weights import checkpoint, fetch

    known = checkpoint(options.name)
    print(f"{known.name}: {known.megabytes:.0f} MB, {known.licence}, {known.url}", file=sys.stderr)
    with tqdm(unit="B", unit_scale=True, disable=not sys.stderr.isatty()) as bar:
        file = fetch(
            known, to=options.to, cache=options.cache, progress=lambda n: bar.update(n - bar.n)
        )
    print(file)
    print(f"SHA-256 {sha256_of(file)}")
    print(
        f"Use it with --set features.extractor={known.extractor} "
        f'--set features.options="{_use(known, file, cached=options.to is None)}"'
    )
    return 0


def _verify(options: argparse.Namespace) -> int:
    from f4x_ros.core.features.download import sha256_of
    from f4x_ros.core.features.weights import published_sha256

    rows = []
    for name, file, listed in _files(options):
        found = sha256_of(file)
        expected = options.sha256 or listed or published_sha256(file)
        verdict = "unknown" if not expected else "ok" if found == expected else "differs"
        rows.append((name, verdict, found, str(file)))
        if verdict == "differs":
            rows.append(("", "expected", expected, ""))
    if not rows:
        print("None of the known checkpoints is in the cache.")
        return 0
    print(table(rows, ("name", "verdict", "SHA-256", "file")))
    verdicts = {row[1] for row in rows}
    if "unknown" in verdicts:
        print("\nunknown: there is nothing to compare with here; --sha256 gives it.")
    return 1 if "differs" in verdicts else 0


def _files(options: argparse.Namespace) -> list[tuple[str, Path, str]]:
    """Name, file and listed SHA-256 of what is to be verified."""
    from f4x_ros.core.features.weights import CHECKPOINTS, cached, checkpoint, locate

    if options.name is None and (options.file or options.sha256):
        raise ValueError("--file and --sha256 need the name of one checkpoint")
    if options.name is None:
        files = [(known, cached(known, options.cache)) for known in CHECKPOINTS]
        return [(known.name, file, known.sha256) for known, file in files if file]
    known = checkpoint(options.name)
    return [(known.name, options.file or locate(known, cache=options.cache), known.sha256)]


def _sha256(text: str) -> str:
    from f4x_ros.core.features.download import SHA256

    if not SHA256.fullmatch(text.lower()):
        raise argparse.ArgumentTypeError(f"{text!r}, expected 64 hexadecimal digits")
    return text.lower()


def _use(known: Checkpoint, file: Path, *, cached: bool) -> str:
    """The options that choose a fetched file."""
    if cached:
        return known.options
    name = "pretrained" if known.extractor == "openclip" else "checkpoint"
    model = known.options.partition(" ")[0]
    return f"{model} {name}='{file.resolve()}'"
