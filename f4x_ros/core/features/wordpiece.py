# SPDX-License-Identifier: Apache-2.0
"""BERT's tokenizer: text to the numbers of word pieces (Devlin et al. 2019, Wu et al. 2016).

Cased letters and accents are dropped, words are split at blanks and punctuation, and each word is
cut into the longest pieces of the vocabulary, from the left.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from f4x_ros.core.errors import BadInputError

_UNKNOWN, _START, _END = "[UNK]", "[CLS]", "[SEP]"
_LONGEST_WORD = 100  # characters; longer ones are unknown
_CONTINUES = "##"  # marks a piece that does not begin a word
#: Ranges of code points written without blanks between words: each character is a word.
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class WordPiece:
    """Cuts text into pieces of a vocabulary.

    Args:
        vocabulary: file with one piece a line; the line is the piece's number, from 0.

    Raises:
        OSError: the file cannot be read.
        ValueError: it lacks one of the pieces [UNK], [CLS] and [SEP].
    """

    def __init__(self, vocabulary: Path) -> None:
        pieces = vocabulary.read_text(encoding="utf-8").rstrip("\n").split("\n")
        self._numbers = {piece: number for number, piece in enumerate(pieces)}
        for special in (_UNKNOWN, _START, _END):
            if special not in self._numbers:
                raise BadInputError(f"vocabulary {vocabulary} lacks {special}, expected BERT's")

    def __len__(self) -> int:
        return len(self._numbers)

    def encode(self, text: str) -> list[int]:
        """Numbers of the pieces of a text, between those of [CLS] and [SEP]."""
        numbers = [self._numbers[_START]]
        for word in _words(text):
            numbers += self._pieces(word)
        return [*numbers, self._numbers[_END]]

    def unknown(self, text: str) -> str:
        """The first part of a text, between blanks, that the vocabulary has no words for, or "".

        It has letters of other scripts than Latin, but as in foreign names: what is made of them
        has no meaning. So it is with emoji and other symbols. A text without any letter or digit
        is unknown as a whole.
        """
        for part in text.split():
            if any(_is_foreign(letter) for letter in part):
                return part
            if any(self._cut(word) is None for word in _words(part)):
                return part
        return "" if any(letter.isalnum() for letter in text) else text

    def _pieces(self, word: str) -> list[int]:
        pieces = self._cut(word)
        if pieces is None:
            return [self._numbers[_UNKNOWN]]
        return [self._numbers[(_CONTINUES if k else "") + piece] for k, piece in enumerate(pieces)]

    def _cut(self, word: str) -> list[str] | None:
        """The pieces of a word, without their marks; None if it cannot be made of them."""
        if len(word) > _LONGEST_WORD:
            return None
        found: list[str] = []
        start = 0
        while start < len(word):
            lead = _CONTINUES if start else ""
            stop = next(
                (s for s in range(len(word), start, -1) if lead + word[start:s] in self._numbers),
                None,
            )
            if stop is None:
                return None
            found.append(word[start:stop])
            start = stop
        return found


def _words(text: str) -> Iterator[str]:
    plain = "".join(_cleaned(character) for character in text)
    decomposed = unicodedata.normalize("NFD", plain)
    bare = "".join(c for c in decomposed if unicodedata.category(c) != "Mn").lower()
    for chunk in bare.split():
        word = ""
        for character in chunk:
            if _is_punctuation(character):
                if word:
                    yield word
                yield character
                word = ""
            else:
                word += character
        if word:
            yield word


def _is_foreign(character: str) -> bool:
    """A letter of another script than Latin, or a symbol that is not of ASCII."""
    if character.isascii():
        return False
    if character.isalpha():
        return not unicodedata.name(character, "").startswith("LATIN ")
    return unicodedata.category(character)[0] == "S"


def _cleaned(character: str) -> str:
    if character in "\t\n\r" or unicodedata.category(character) == "Zs":
        return " "
    if character in "\0\ufffd" or unicodedata.category(character).startswith("C"):
        return ""
    if any(low <= ord(character) <= high for low, high in _IDEOGRAPHS):
        return f" {character} "
    return character


def _is_punctuation(character: str) -> bool:
    # BERT also splits at the symbols of ASCII, such as $ and +.
    symbol = character.isascii() and character.isprintable() and not character.isalnum()
    return symbol or unicodedata.category(character).startswith("P")
