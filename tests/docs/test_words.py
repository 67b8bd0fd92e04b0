"""docs/words.md has the glossary that `help WORD` and the dashboard show, and every command in it can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from backprop_tui.cli.parser import parse
from backprop_tui.presentation.glossary import GLOSSARY, Word, WordKind, asked_word
from backprop_tui.tui.glossary import glossary
from backprop_tui.tui.glyphs import UNICODE
from tests.docs.shell import ROOT

_EXAMPLES = {"RUN": "x", "GROUP": "g", "GROUP@best": "g@best"}


def _tables() -> Iterator[str]:
    """The tables of the page, as the glossary has them."""
    glyphs = {term.name: term.glyph.strip() for term in glossary(UNICODE)}
    for kind in WordKind:
        yield f"## {kind}\n"
        yield "| | word | meaning | in the dashboard | elsewhere |\n|---|---|---|---|---|"
        yield from (_row(word, glyphs[word.name]) for word in GLOSSARY if word.kind is kind)
        yield ""


def _row(word: Word, glyph: str) -> str:
    text = re.sub(r"(?<![\w`])(--[a-z][\w-]+|\w+(?:\.\w+)+)(?![\w`])", r"`\1`", word.text)
    return f"| {glyph} | {word.name} | {text} | {word.keys} | {word.command and f'`{word.command}`'} |"


def test_the_page_has_every_word_with_its_meaning() -> None:
    page = (ROOT / "docs" / "words.md").read_text(encoding="utf-8")
    assert page[page.index("\n## ") + 1 :].rstrip() == "\n".join(_tables()).rstrip()


@pytest.mark.parametrize("command", sorted({word.command for word in GLOSSARY if word.command}))
def test_every_command_of_a_word_can_be_typed(command: str) -> None:
    program, *words = shlex.split(command)
    assert program == "backprop-tui"
    assert parse([_EXAMPLES.get(word, word) for word in words]).execute is not None


def test_no_two_words_have_the_same_name() -> None:
    names = [word.name.lower() for word in GLOSSARY]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("slice", "slice"),
        ("what is a slice", "slice"),
        ("What is a slice?", "slice"),
        ("what's the guard", "guard"),
        ("what are slices", "slices"),
        ("what does holding mean?", "holding"),
        ("explain log out", "log out"),
        ("meaning of GPU probe", "GPU probe"),
        ("help with the timebox", "timebox"),
        ("whatever", "whatever"),
        ("define", "define"),
        ("", ""),
    ],
)
def test_a_question_is_about_its_word(text: str, word: str) -> None:
    assert asked_word(text) == word
