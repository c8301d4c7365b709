# SPDX-License-Identifier: Apache-2.0
"""Files of prompts as editors of all systems write them, and those that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from f4x_ros.core.ask.prompt_file import read_prompts
from f4x_ros.core.base.limits import MAX_PROMPT_LETTERS, MAX_PROMPTS, MAX_PROMPTS_FILE_BYTES

WANTED = ["red mug", "Größe \U0001fab4"]


def written(folder: Path, data: bytes) -> Path:
    file = folder / "prompts.txt"
    file.write_bytes(data)
    return file


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marks_and_line_ends_are_no_part_of_a_prompt(
    tmp_path: Path, encoding: str, line_end: str
) -> None:
    text = line_end.join(["red mug", "", " # no prompt", f"  {WANTED[1]} ", ""])
    assert read_prompts(written(tmp_path, text.encode(encoding))) == WANTED


def test_a_mark_between_files_that_were_joined_is_none_either(tmp_path: Path) -> None:
    data = b"".join(f"{text}\r\n".encode("utf-8-sig") for text in WANTED)
    assert read_prompts(written(tmp_path, data)) == WANTED


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"mug\n\xff\xfa\n", "not UTF-8 at byte 4"),
        (b"\xff\xfemu\x00", "not UTF-8"),  # half a letter of UTF-16
        (b"\n# nothing\n", "has no prompt"),
        (b"\xef\xbb\xbf\r\n", "has no prompt"),
        (b"a\n" * (MAX_PROMPTS + 1), f"has {MAX_PROMPTS + 1} prompts, expected at most"),
        (b"mug\n" + b"a" * (MAX_PROMPT_LETTERS + 1), "line 2: 'aaa"),
        (b"a" * (MAX_PROMPTS_FILE_BYTES + 1), f"more than {MAX_PROMPTS_FILE_BYTES} bytes"),
    ],
)
def test_what_is_no_file_of_prompts_is_refused_in_a_line(
    tmp_path: Path, data: bytes, words: str
) -> None:
    file = written(tmp_path, data)
    with pytest.raises(ValueError, match="prompts file") as error:
        read_prompts(file)
    assert words in str(error.value)
    assert str(file) in str(error.value)
    assert len(str(error.value)) < 400


def test_a_path_that_is_none_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no", "~nobody_of_this_name/prompts.txt"):
        with pytest.raises(ValueError, match="prompts file"):
            read_prompts(path)
