"""Only what looks different is sent, and the terminal then shows what it would show if everything was sent."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.screen import Screen
from textual.strip import Strip

from backprop_tui.tui.textual_patches.sent_rows import Changes, SentRows
from tests.tui.screens.test_main import staged

WIDTH = 9
CONSOLE = Console(color_system="truecolor", force_terminal=True)
_SEQUENCE = re.compile(r"\x1b\[([0-9;]*)([Hm])|([^\x1b])", re.DOTALL)
_CODE = re.compile(r"[34]8;2;\d+;\d+;\d+|[34]8;5;\d+|\d+")
_FOREGROUND, _BACKGROUND = re.compile(r"3\d|9\d"), re.compile(r"4\d|10\d")
_STYLES = ["", "bold", "red", "on blue", "bold red on blue", "dim #a0b0c0 on #101010", "italic underline", "reverse"]
TEXTS = st.lists(st.sampled_from([*"ab c─⣿漢字", "e\u0301"]), max_size=6).map("".join)
STRIPS = st.lists(st.tuples(TEXTS, st.sampled_from(_STYLES)), max_size=5).map(
    lambda parts: Strip([Segment(text, Style.parse(style)) for text, style in parts]).adjust_cell_length(WIDTH)
)
UPDATES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, WIDTH - 1), STRIPS), max_size=12)


class ModelTerminal:
    """Shows cells with their codes; it counts the bytes, and how often the cursor moved to each row."""

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], tuple[str, frozenset[str]]] = {}
        self.at = (0, 0)
        self.codes: dict[str, str] = {}
        self.received = 0
        self.moves: Counter[int] = Counter()  # to each row

    def write(self, text: str) -> None:
        self.received += len(text.encode())
        for match in _SEQUENCE.finditer(text):
            codes, end, character = match.groups()
            if end == "H":
                row, column = map(int, codes.split(";"))
                self.at = row - 1, column - 1
                self.moves[row] += 1
            elif end == "m":
                self._set(codes)
            else:
                self._show(character)

    def _set(self, codes: str) -> None:
        for code in _CODE.findall(codes):
            if code == "0":
                self.codes.clear()
            elif _FOREGROUND.match(code):
                self.codes["foreground"] = code
            else:
                self.codes["background" if _BACKGROUND.match(code) else code] = code

    def _show(self, character: str) -> None:
        row, column = self.at
        size = cell_len(character)
        if size == 0:
            place = max(at for at in range(column) if self.cells.get((row, at), ("",))[0])
            before, codes = self.cells[row, place]
            self.cells[row, place] = before + character, codes
        for index in range(size):
            self.cells[row, column + index] = ("" if index else character, frozenset(self.codes.values()))
        self.at = row, column + size


@given(st.lists(UPDATES, max_size=4))
@example([[(0, start, Strip([Segment(text)])) for start, text in ((0, "漢字"), (1, "a"), (0, "漢字"))]])
def test_the_terminal_shows_what_it_would_show_if_everything_was_sent(
    updates: list[list[tuple[int, int, Strip]]],
) -> None:
    rows, terminal, expected = SentRows(), ModelTerminal(), ModelTerminal()
    for update in updates:
        pieces = [(y, start, row.crop(0, WIDTH - start)) for y, start, row in update]
        terminal.write(rows.send_all(pieces, CONSOLE))
        for y, start, strip in pieces:
            expected.write(f"\x1b[{y + 1};{start + 1}H" + strip.render(CONSOLE))
        assert terminal.cells == expected.cells
        assert not terminal.codes  # what others write has no colors of ours
        assert rows.send_all(pieces[-1:], CONSOLE) == "" or pieces[-1][1]
    assert terminal.received <= expected.received


def test_pieces_of_one_look_send_its_codes_once() -> None:
    rows = SentRows()
    style = Style.parse("#a0b0c0 on #101010")
    for text in ("abc", "xyz"):
        pieces = [(y, 0, Strip([Segment(text, style)])) for y in range(5)]
        sent = rows.send_all(pieces, CONSOLE)
    assert sent.count("38;2;160;176;192") == 1
    assert sent.endswith("\x1b[0m")


def test_what_is_forgotten_is_sent_again() -> None:
    rows, pieces = SentRows(), [(0, 0, Strip([Segment("abc")]))]
    assert rows.send_all(pieces, CONSOLE).endswith("abc")
    assert rows.send_all(pieces, CONSOLE) == ""
    rows.forget()
    assert rows.send_all(pieces, CONSOLE).endswith("abc")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> ModelTerminal:
    """Gets what the dashboard sends."""
    model = ModelTerminal()

    def display(app: App[int], _screen: Screen[object], update: object) -> None:
        if isinstance(update, Changes) and not app._batch_count:
            model.write(update.render_segments(CONSOLE))

    monkeypatch.setattr(App, "_display", display)
    return model


@pytest.mark.parametrize("key", ["n", "s", "v", "ctrl+p"])
async def test_a_dialog_sends_only_its_own_rows_and_leaves_what_was_there(key: str, terminal: ModelTerminal) -> None:
    async with staged(size=(80, 24)) as stage:
        whole, before = terminal.received, dict(terminal.cells)
        for pressed in (key, "escape"):
            terminal.received = 0
            terminal.moves.clear()
            await stage.pilot.press(pressed)
            await stage.pilot.pause()
            assert 0 < terminal.received < whole * 0.65  # the palette is the largest: a frame around sixteen rows
            assert max(terminal.moves.values()) <= 2
        assert terminal.cells == before


async def test_ctrl_l_sends_everything_again(terminal: ModelTerminal) -> None:
    async with staged(size=(80, 24)) as stage:
        whole = dict(terminal.cells)
        terminal.cells.clear()
        await stage.pilot.press("ctrl+l")
        await stage.pilot.pause()
        assert terminal.cells == whole
