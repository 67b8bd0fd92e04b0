"""Any bytes of a script are parsed into text and colors."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backprop_tui.tui.log.escapes import PLAIN, TRUECOLOR, Sgr, decode_line, parse_spans, plain_lines, plain_text
from backprop_tui.tui.log.file import last_state

SEQUENCES = [
    "\x1b]0;owned\x07",
    "\x1b]8;;https://example.org\x1b\\",
    "\x1bP1$r0m\x1b\\",
    "\x1b[2J",
    "\x1b[10;10H",
    "\x1b[A",
    "\x1b[?1049h",
    "\x1b[>4;2m",
    "\x9b2J",
    "\x9d0;owned\x9c",
    "\x1bc",
    "\x1b(0",
    "\x1b_kitty\x1b\\",
]
PIECES = st.sampled_from(
    ["\x1b", "[", "]", "m", "38;2;", ";5", ":", "\x07", "\x9b", "\x9d", "\b", "\t", "日", "a", "1"]
)


def visible_text(line: bytes) -> str:
    return plain_text(parse_spans(decode_line(last_state(line), whole=True)))


@given(st.binary(max_size=300))
@example(b"\x1b[38;2;1m x")
@example(b"\x1b[999999999999999999999999m")
def test_no_bytes_raise_and_only_visible_text_results(line: bytes) -> None:
    text = visible_text(line)
    assert all(unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"} for character in text)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_no_mixture_of_introducers_lets_an_escape_through(text: str) -> None:
    assert not re.search("[\x00-\x1f\x7f-\x9f]", plain_text(parse_spans(text)))


@given(st.text(max_size=60), st.integers(0, 60))
def test_a_line_cut_anywhere_contains_no_escape(text: str, cut: int) -> None:
    line = f"a\x1b[31mb\x1b]0;title\x07c{text}"[:cut]
    assert "\x1b" not in plain_text(parse_spans(line))


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_every_sequence_except_sgr_is_removed(sequence: str) -> None:
    assert plain_text(parse_spans(f"before{sequence}after")) == "beforeafter"


@pytest.mark.parametrize(
    ("parameters", "sgr"),
    [
        ("31", Sgr(fg=1)),
        ("1;97", Sgr(fg=15, bold=True)),
        ("38;5;208", Sgr(fg=208)),
        ("38;2;1;2;3", Sgr(fg=TRUECOLOR + 0x010203)),
        ("38:2::1:2:3", Sgr(fg=TRUECOLOR + 0x010203)),
        ("48:5:17", Sgr(bg=17)),
        ("7;4;44", Sgr(bg=4, reverse=True, underline=True)),
        ("31;0", PLAIN),
        ("", PLAIN),
        ("38;5;999", PLAIN),
        ("31;39;1;22", PLAIN),
    ],
)
def test_attributes_of_an_sgr_sequence(parameters: str, sgr: Sgr) -> None:
    (span,) = parse_spans(f"\x1b[{parameters}mx")
    assert span.sgr == sgr


def test_a_progress_bar_shows_its_last_state() -> None:
    assert visible_text(b"\r  5%\r 10%\r 15%\r\n") == " 15%"
    assert visible_text(b"\r 10%|# | 1/10\x1b[A\r 20%|##| 2/10\n") == " 20%|##| 2/10"


def test_a_backspace_moves_back_and_erases_nothing() -> None:
    assert visible_text(b"ab\x1b[31mcd\b\bX\x1b[0m\n") == "abXd"


def test_tab_stops_are_at_every_eighth_column_even_after_wide_characters() -> None:
    assert visible_text(b"ab\tc") == "ab      c"
    assert visible_text("日本\tc".encode()) == "日本    c"


def test_broken_utf_8_is_shown_as_replacement() -> None:
    assert visible_text(b"a\xff\xfeb") == "a\ufffd\ufffdb"


@given(st.text(min_size=1, max_size=4), st.integers(1, 3))
def test_an_incomplete_character_is_left_out_while_it_is_being_written(text: str, missing: int) -> None:
    encoded = (text + "日").encode("utf-8", "replace")
    if missing < 3:
        assert decode_line(encoded[:-missing], whole=False) == text.encode("utf-8", "replace").decode()
    assert decode_line(encoded, whole=False).endswith("日")


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=8))
def test_decoding_many_lines_at_once_keeps_their_number(lines: list[bytes]) -> None:
    content = b"".join(line + b"\n" for line in lines)
    assert plain_lines(content).count("\n") == len(lines)


def test_many_lines_at_once_are_decoded_as_one_by_one() -> None:
    lines = [b"\r 1%\r 2%\n", b"\x1b[31mred\x1b[0m\r\n", b"\x1b]0;open\n", b"plain\n"]
    assert plain_lines(b"".join(lines)).split("\n")[:-1] == [visible_text(line) for line in lines]
