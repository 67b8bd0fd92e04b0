"""Tables fit the terminal, cut what matters least, and stay tables whatever is in them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.cli.commands import show, status
from backprop_tui.cli.tables import QUEUE_COLUMNS, RUN_COLUMNS, Column, lines, one_line
from backprop_tui.presentation import numbers
from backprop_tui.presentation.fitting import columns_of, shortened

COLUMNS = (
    Column(title="ID"),
    Column(title="NAME", least=6, middle=True),
    Column(title="N", right=True),
    Column(title="WHY", least=5),
)
cells = st.tuples(
    st.text("abcdef0123456789", min_size=1, max_size=12),
    st.text(max_size=60),
    st.integers(0, 10**6).map(str),
    st.text(max_size=90),
)


def test_columns_are_aligned_and_numbers_are_on_the_right() -> None:
    table = lines(COLUMNS, [("a", "base", "7", "why"), ("bcd", "x", "1200", "")], width=None)
    assert table == ["ID   NAME     N  WHY", "a    base     7  why", "bcd  x     1200"]


@given(rows=st.lists(cells, max_size=8), width=st.integers(40, 120))
def test_a_table_fits_and_its_ids_are_whole(rows: list[tuple[str, ...]], width: int) -> None:
    table = lines(COLUMNS, rows, width=width)
    assert len(table) == len(rows) + 1
    for line, row in zip(table[1:], rows, strict=True):
        assert columns_of(line) <= width
        assert line.isprintable()
        assert line.split("  ")[0] == row[0]


@given(rows=st.lists(cells, max_size=8))
def test_without_a_terminal_nothing_is_cut(rows: list[tuple[str, ...]]) -> None:
    for line, row in zip(lines(COLUMNS, rows, width=None)[1:], rows, strict=True):
        assert all(one_line(cell).strip() in line for cell in row)


@given(data=st.data(), width=st.integers(24, 140))
def test_no_row_of_a_real_table_is_longer_than_the_terminal(data: st.DataObject, width: int) -> None:
    columns = data.draw(st.sampled_from((RUN_COLUMNS, QUEUE_COLUMNS, show.COLUMNS, status.GPU_COLUMNS)))
    cells = [st.text("0123456789abcdef", max_size=8 if column.least is None else 60) for column in columns]
    table = lines(columns, data.draw(st.lists(st.tuples(*cells), max_size=4)), width=width)
    assert max(map(columns_of, table)) <= width


def test_what_says_nothing_new_goes_before_a_cell_is_cut_and_what_matters_least_before_the_rest() -> None:
    columns = (
        Column(title="ID"),
        Column(title="EMPTY", spare=1),
        Column(title="lr", known=True, spare=1),
        Column(title="TEXT", least=4, spare=3),
        Column(title="MORE", spare=2),
        Column(title="KEPT"),
    )
    row = ("a", "-", "0.1", "words", "123", "0.5")

    def headings(width: int | None) -> list[str]:
        return lines(columns, [row], width=width)[0].split()

    assert headings(None) == headings(33) == [column.title for column in columns]
    assert headings(32) == headings(28) == ["ID", "EMPTY", "TEXT", "MORE", "KEPT"]
    assert headings(27) == headings(20) == ["ID", "TEXT", "MORE", "KEPT"]
    assert lines(columns, [row], width=20)[1] == "a   wor…  123   0.5"
    assert headings(19) == headings(14) == ["ID", "MORE", "KEPT"]
    assert headings(13) == ["ID", "KEPT"]


def test_ids_are_whole_even_where_they_alone_are_too_wide() -> None:
    long = "x" * 64
    assert long in lines(COLUMNS, [(long, "name", "1", "because")], width=40)[1]


@given(text=st.text().map(one_line), width=st.integers(0, 30), middle=st.booleans())
def test_a_shortened_text_fits_and_is_marked(text: str, width: int, middle: bool) -> None:  # noqa: FBT001
    cut = shortened(text, width, middle=middle)
    assert columns_of(cut) <= width
    assert cut == text or width == 0 or "…" in cut


def test_combining_accents_take_no_width_in_a_cut_text() -> None:
    assert shortened("00\u094d00", 3) == "00\u094d…"
    assert shortened("abc", 0) == ""


def test_names_are_cut_in_the_middle() -> None:
    assert shortened("resnet50-sweep:lr=0.001,seed=3", 16, middle=True) == "resne…001,seed=3"


def test_the_distinguishing_part_of_a_name_has_room_before_other_columns() -> None:
    columns = (Column(title="ID"), Column(title="NAME", least=12, middle=True), Column(title="STEP", spare=1))
    row = ("a", "vit-b16 lr=1e-3 optimizer=adamw", "200/200")
    assert lines(columns, [row], width=38)[1] == "a   vit-b16 lr=1e-3 op…=adamw  200/200"
    assert lines(columns, [row], width=34)[1] == "a   vit-b16 lr=1e-3 optimiz…=adamw"


def test_control_characters_are_removed() -> None:
    assert one_line("a\x1b[31mb\nc\td\udcff") == "ab c d\ufffd"


def test_wide_characters_count_twice_and_accents_not_at_all() -> None:
    assert columns_of("学習") == 4
    assert columns_of("e\u0301") == 1
    assert lines((Column(title="A"), Column(title="B")), [("学", "x"), ("ab", "y")], width=None) == [
        "A   B",
        "学  x",
        "ab  y",
    ]


def test_a_heading_that_is_cut_keeps_its_words() -> None:
    columns = (Column(title="ID"), Column(title="best val_loss", least=9, middle=True, right=True))
    assert lines(columns, [("a" * 8, "0.5")], width=20)[0] == "ID        best val_…"
    labels = (Column(title="RUN", least=6, labels=True), Column(title="a"))
    assert lines(labels, [("validation_loss (best)", "1")], width=20)[1] == "validatio… (best)  1"


@given(width=st.integers(1, 60), values=st.lists(st.floats(1e-9, 1e9).map(numbers.metric), min_size=1, max_size=3))
def test_a_number_is_never_cut(width: int, values: list[str]) -> None:
    columns = (
        Column(title="NAME", least=6, middle=True),
        *(Column(title="val_loss", least=2, middle=True, values=True) for _ in values),
    )
    *_, row = lines(columns, [("name", *values)], width=width)
    assert row.split()[-len(values) :] == values


def test_a_text_is_not_cut_within_a_number() -> None:
    columns = (Column(title="ID"), Column(title="WHY", least=4))
    row = ("a", "waits: 128 of 4.25 used")
    for width in range(12, 27):
        cut = lines(columns, [row], width=width)[1].removeprefix("a   ")
        assert set(re.findall(r"[\d.]+", cut)) <= {"128", "4.25"}
