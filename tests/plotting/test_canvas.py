"""A canvas merges curves of the same rank; a higher rank replaces a lower one."""

from __future__ import annotations

from backprop_tui.plotting.canvas import Canvas


def test_a_cell_has_eight_dots() -> None:
    canvas = Canvas(1, 1, unicode=True)
    canvas.draw({0: (0, 3), 1: (0, 3)}, 0)
    assert canvas.text() == ["⣿"]


def test_a_cell_of_blocks_has_four_quarters() -> None:
    canvas = Canvas(2, 1, unicode=True, blocks=True)
    canvas.draw({0: (0, 0), 1: (1, 1), 2: (0, 1)}, 0)
    assert (canvas.columns, canvas.rows) == (4, 2)
    assert canvas.text() == ["▞▌"]


def test_curves_of_one_rank_share_cells_in_alternating_colors() -> None:
    canvas = Canvas(2, 1, unicode=True)
    canvas.draw({0: (0, 0), 2: (0, 0)}, 0)
    canvas.draw({1: (3, 3), 3: (3, 3)}, 1)
    assert canvas.runs() == [[("⡈", 0), ("⡈", 1)]]


def test_a_higher_rank_replaces_a_lower_one_in_any_order() -> None:
    for order in ((0, 1), (1, 0)):
        canvas = Canvas(1, 1, unicode=True)
        for rank in order:
            canvas.draw({0: (rank, rank)}, rank, rank=rank)
        assert canvas.runs() == [[("⠄", 1)]]


def test_ascii_draws_letters() -> None:
    canvas = Canvas(3, 2, unicode=False)
    canvas.draw({0: (1, 1), 1: (0, 1)}, 0, letter="a")
    canvas.draw({2: (0, 0)}, 1, letter="b")
    assert canvas.text() == ["aa ", " ab"]


def test_letters_put_behind_cover_nothing() -> None:
    canvas = Canvas(2, 1, unicode=False)
    canvas.draw({0: (0, 0)}, 0, letter="a")
    canvas.put(0, 0, "|", -1, behind=True)
    canvas.put(1, 0, "|", -1, behind=True)
    canvas.put(9, 9, "|", -1)
    assert canvas.runs() == [[("a", 0), ("|", -1)]]
