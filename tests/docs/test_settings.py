"""Every setting and option that help, advice and documentation name exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.cli import parser
from backprop_tui.config.files import SECTIONS
from backprop_tui.config.keys import KEYS
from backprop_tui.tui.actions import ACTIONS
from backprop_tui.tui.glossary import glossary
from backprop_tui.tui.glyphs import UNICODE
from tests.docs.shell import ROOT

_DOTTED = re.compile(rf"(?<![\w./{{-])(?:{'|'.join(sorted(SECTIONS))})\.[a-z_]+\b(?!\.\w|[(/])")
_ARGUMENT = re.compile(r"config (?:set|unset|show) ([a-z][\w.]*)")
_FILES = ("json", "md", "sh", "tcss", "toml", "py")
_PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_JSON_PATHS = {"governor.max_parallel"}  # of `status --json`


def _unknown(text: str) -> set[str]:
    named = {name for name in _DOTTED.findall(text) if name.rpartition(".")[2] not in _FILES}
    return (named | set(_ARGUMENT.findall(text))) - set(KEYS)


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_settings_on_the_pages_exist(page: Path) -> None:
    assert _unknown(page.read_text(encoding="utf-8")) - _JSON_PATHS == set()


def _texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_settings_in_messages_and_advice_exist() -> None:
    sources = sorted((ROOT / "backprop_tui").rglob("*.py"))
    assert {(path.name, name) for path in sources for text in _texts(path) for name in _unknown(text)} == set()


def _helps() -> list[str]:
    """What the help page says of keys, words and marks; of settings it has what `config.example.toml` says."""
    terms = [term.text for term in glossary(UNICODE) if not term.setting]
    return [*terms, *(action.help for action in ACTIONS)]


def test_settings_in_the_help_have_their_full_names() -> None:
    """A name with an underscore is that of a setting, with its table; units and variables are written otherwise."""
    words = {word for text in _helps() for word in re.findall(r"(?<![\w.])[a-z]+(?:[._][a-z]+)+(?![\w(])", text)}
    assert {word for word in words if "_" in word} - set(KEYS) == set()


def test_options_in_the_help_exist() -> None:
    known = set(parser.GLOBAL_OPTIONS)
    for command in parser.COMMANDS:
        for action in parser.command_parser(command, parser.load(command)).actions():
            known.update(action.option_strings)
    texts = [*_helps(), *(key.help for key in KEYS.values())]
    assert {word for text in texts for word in re.findall(r"(?<![\w-])--[a-z][\w-]*", text)} - known == set()
