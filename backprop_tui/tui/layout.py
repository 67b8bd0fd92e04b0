"""The layout of the main screen: a pure function of its size, what there is to show, and where the user put the rule.

A pane gets the rows it needs, and no pane has more than `SPARE_ROWS` blank rows while another has hidden content.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from enum import StrEnum

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

MACHINE_ROWS_DIVISOR = 4  # the machine takes at most a quarter of the rows
SELECTED_SHARE = 0.45  # of the rows for the selected run, if both panes have more than fits
RUNS_SHARE = 0.6  # of the columns for the runs, if the selected run is beside them
SPARE_ROWS = 2  # blank rows that a pane may keep, so that the rule does not move with each run and each line
MIN_PANE_ROWS = 3
RULE_PANE_ROWS = 6  # that a rule leaves to each pane, also one that was put on a larger screen; at most a third
MIN_PANE_COLUMNS = 60
RULE_STEP = 0.05  # by which a key moves the rule
CHART_COLUMNS = 44
ANY_ROWS = 1 << 20  # more than any screen has


class Zoom(StrEnum):
    """The pane that fills the screen."""

    NONE = "none"
    RUNS = "runs"
    SELECTED = "selected"


class MachineForm(StrEnum):
    """How GPUs are shown: a full row each, a short row each, two or four per row, all in one line, or not at all."""

    FULL = "full"
    SHORT = "short"
    PAIRS = "pairs"
    FOURS = "fours"
    LINE = "line"
    NONE = "none"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RulePlace:
    """Where the user put the rule between the panes, as the share of the runs; None: where the content wants it."""

    rows: float | None = None
    columns: float | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Rows and columns of each pane; 0 means not shown."""

    width: int
    machine_form: MachineForm
    machine_rows: int  # heading and host row included
    machine_heading: bool
    host_row: bool
    governor_rows: int
    problem_rows: int
    beside: bool  # the selected run is right of the runs, otherwise below
    runs_width: int
    runs_rows: int  # heading included
    selected_width: int
    selected_rows: int  # heading included
    history_rows: int  # below the runs, heading included
    chart_columns: int  # beside the log
    footer_rows: int
    zoomed: bool = False  # the selected run fills the screen


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class PaneNeeds:
    """How many rows the two panes can fill, headings included; no `runs` without any run.

    `before` is the layout that is shown now: a pane keeps its rows while they are about right.
    """

    runs: int = ANY_ROWS
    selected: int = ANY_ROWS
    rule: RulePlace = RulePlace()
    before: Layout | None = None

    def shown_rows(self, width: int, *, beside: bool) -> tuple[int, int]:
        """The rows of the two panes now; 0 if they are divided otherwise."""
        before = self.before
        if before is None or (before.width, before.beside) != (width, beside):
            return 0, 0
        return before.runs_rows, before.selected_rows


def compute_layout(
    width: int,
    height: int,
    *,
    gpus: int,
    problem: bool = False,
    zoom: Zoom = Zoom.NONE,
    opened: bool = False,  # the selected run was opened on a screen that has no room for it next to the runs
    needs: PaneNeeds | None = None,
) -> Layout:
    needs, minimal = needs or PaneNeeds(), width < 60 or height < 12
    no_machine = (MachineForm.NONE, 0, False, False)
    machine = no_machine if minimal or zoom is not Zoom.NONE else _machine(width, height, gpus)
    form, machine_rows, heading, host_row = machine
    governor = 0 if minimal or height < 14 or (zoom is not Zoom.NONE and width < 100) else 1
    problem_rows = 1 if problem and not minimal and height >= 16 and zoom is not Zoom.SELECTED else 0
    below_header = max(0, height - 1) if width >= 20 and height >= 5 else 0
    rest = max(0, below_header - machine_rows - governor - problem_rows - int(not minimal))
    beside = width >= 160 and height >= 36 and zoom is Zoom.NONE and needs.runs > 0
    if zoom is Zoom.SELECTED or (opened and height < 20 and needs.runs > 0):
        panes = _Panes(selected_width=width, selected_rows=rest)
    elif zoom is Zoom.RUNS or not needs.runs or height < 20 or width < 60:
        panes = _Panes(runs_width=width, runs_rows=rest)
    else:
        panes = _side_by_side(width, rest, needs) if beside else _stacked(width, rest, needs)
    chart = CHART_COLUMNS if not beside and width >= 110 and panes.selected_rows - 1 >= 9 else 0
    return Layout(
        width=width,
        machine_form=form,
        machine_rows=machine_rows,
        machine_heading=heading,
        host_row=host_row,
        governor_rows=governor,
        problem_rows=problem_rows,
        beside=beside,
        chart_columns=chart,
        footer_rows=int(not minimal),
        zoomed=zoom is Zoom.SELECTED,
        **asdict(panes),
    )


def _machine(width: int, height: int, gpus: int) -> tuple[MachineForm, int, bool, bool]:
    """Returns form, rows, heading and host row of the machine; GPUs beyond the rows are scrolled."""
    if width < 80:
        return MachineForm.LINE, 1, False, False
    heading = width >= 100 and height >= 28
    host_row = height >= 18
    fixed_rows = int(heading) + int(host_row)
    limit = max(1, height // MACHINE_ROWS_DIVISOR)
    form = MachineForm.FULL if width >= 100 else MachineForm.SHORT
    if fixed_rows + gpus <= limit:
        return form, fixed_rows + max(1 - int(host_row), gpus), heading, host_row
    pairs, fours = -(-gpus // 2), -(-gpus // 4)
    if int(host_row) + pairs <= limit:
        return MachineForm.PAIRS, int(host_row) + pairs, False, host_row
    rows = min(fours, max(1, limit - int(host_row)))
    return MachineForm.FOURS, int(host_row) + rows, False, host_row


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _Panes:
    runs_width: int = 0
    runs_rows: int = 0
    history_rows: int = 0
    selected_width: int = 0
    selected_rows: int = 0


def _stacked(width: int, rest: int, needs: PaneNeeds) -> _Panes:
    """The selected run below the runs. If neither fits, the selected run has its share."""
    if needs.rule.rows is not None:
        least = max(MIN_PANE_ROWS, min(RULE_PANE_ROWS, rest // 3))
        runs = _between(round(rest * needs.rule.rows), least, rest - least)
    else:
        runs_before, selected_before = needs.shown_rows(width, beside=False)
        share = max(MIN_PANE_ROWS, int(rest * SELECTED_SHARE + 0.5))
        selected = _elastic(needs.selected, share, selected_before)
        runs = _elastic(needs.runs, rest - selected, runs_before)
    return _Panes(runs_width=width, runs_rows=runs, selected_width=width, selected_rows=rest - runs)


def _side_by_side(width: int, rest: int, needs: PaneNeeds) -> _Panes:
    """The selected run right of the runs; below the runs what they leave is for the histories."""
    share = RUNS_SHARE if needs.rule.columns is None else needs.rule.columns
    runs_width = _between(round(width * share), MIN_PANE_COLUMNS, width - MIN_PANE_COLUMNS)
    runs_before, _ = needs.shown_rows(width, beside=True)
    has_histories = rest - needs.runs >= MIN_PANE_ROWS
    runs = _elastic(needs.runs, rest - MIN_PANE_ROWS, runs_before) if has_histories else rest
    return _Panes(
        runs_width=runs_width,
        runs_rows=runs,
        history_rows=rest - runs,
        selected_width=width - runs_width,
        selected_rows=rest,
    )


def _between(value: int, least: int, most: int) -> int:
    return max(least, min(value, most))


def _elastic(needed: int, most: int, before: int) -> int:
    """The rows of a pane: what it needs and one to spare, but as many as `before` while that is about right."""
    needed = max(MIN_PANE_ROWS, needed)
    about_right = needed <= before <= needed + SPARE_ROWS
    return min(most, before if about_right else needed + 1)


def rule_after(layout: Layout, rule: RulePlace, place: float) -> RulePlace:
    """The rule at `place`, the share of the runs; between columns if the selected run is beside them."""
    place = min(max(place, RULE_STEP), 1 - RULE_STEP)
    return replace(rule, columns=place) if layout.beside else replace(rule, rows=place)


def rule_of(layout: Layout) -> float:
    """The share of the runs that is shown now."""
    if layout.beside:
        return layout.runs_width / layout.width
    return layout.runs_rows / max(1, layout.runs_rows + layout.selected_rows)
