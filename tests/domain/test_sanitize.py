"""Text from outside made harmless."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.sanitize import sanitize


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07name", "name"),
        ("\x1b]52;c;aGk=\x1b\\name", "name"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0\x1b\\sixel", "sixel"),
        ("\x1b_Gf=32;AAAA\x1b\\kitty", "kitty"),
        ("\x9b2Jx", "x"),
        ("\x1bcx", "x"),
        ("two\nlines\tand\r", "two lines and "),
        ("bell\x07", "bell\ufffd"),
        ("\u202egnp.exe", "gnp.exe"),
        ("café 日本", "café 日本"),
        ("\ud800", "\ufffd"),
        ("\x1b[", ""),
    ],
)
def test_control_sequences_are_removed(raw: str, shown: str) -> None:
    assert sanitize(raw) == shown


@given(st.text())
def test_no_control_characters_are_left(text: str) -> None:
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in sanitize(text))


@given(st.text())
def test_it_is_harmless_the_second_time_too(text: str) -> None:
    assert sanitize(sanitize(text)) == sanitize(text)
