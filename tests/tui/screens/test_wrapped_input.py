"""The rows of a command that is longer than its field."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backprop_tui.tui.screens.form import WrappedInput, row_starts
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import staged
from tests.tui.screens.test_new_run import dialog


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("", [0]),
        ("train.py", [0]),
        ("train.py --lr 1", [0, 9]),
        ("train.py --lr 1 ", [0, 9]),
        ("--a-very-long-option", [0, 10, 20]),
        ("a --a-very-long-option", [0, 2, 12, 22]),
        ("1234567890", [0, 10]),
        ("123456789", [0]),
        ("12345 7890 x", [0, 6]),
    ],
)
def test_rows_begin_behind_blanks(text: str, starts: list[int]) -> None:
    assert row_starts(text, 10) == starts


@given(text=st.text("ab 宽", max_size=60), width=st.integers(2, 20))
def test_no_row_is_wider_than_the_field_and_nothing_is_lost(text: str, width: int) -> None:
    starts = row_starts(text, width)
    assert starts == sorted(set(starts))
    assert starts[-1] <= cell_len(text) < starts[-1] + width, "the cursor has a cell behind the text"
    assert all(end - start <= width for start, end in pairwise(starts))


async def test_a_word_of_the_command_is_not_broken_and_a_click_goes_to_its_letter() -> None:
    async with staged(commands=FakeCommands(), size=(80, 24)) as stage:
        await stage.pilot.press("n")
        field = dialog(stage).field("command")
        assert isinstance(field, WrappedInput)
        field.value = "train.py --learning-rate 1e-3 --batch-size 128 --weight-decay 0.1 --warmup-steps 1000"
        await stage.pilot.pause()
        rows = [field.render_line(y).text.rstrip() for y in range(field.size.height)]
        assert " ".join(rows) == field.value
        assert len(rows) == 2
        await stage.pilot.click(field, offset=(3, 1))  # its text begins in the second cell
        assert field.value[: field.cursor_position].endswith(f" {rows[1][:2]}")
        await stage.pilot.click(field, offset=(len(rows[0]) + 5, 0))
        assert field.value[: field.cursor_position] == rows[0]
        await stage.pilot.mouse_down(field, offset=(1, 0))
        await stage.pilot.hover(field, offset=(9, 1))
        await stage.pilot.mouse_up(field, offset=(9, 1))
        assert field.selected_text == f"{rows[0]} {rows[1][:8]}"
