"""The layout of the main screen: a pure function of its size, the number of GPUs and the zoom."""

from __future__ import annotations

from enum import StrEnum

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

MACHINE_ROWS_DIVISOR = 4  # the machine takes at most a quarter of the rows
SELECTED_SHARE = 0.45
MIN_SELECTED_ROWS = 6
CHART_COLUMNS = 44


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
    chart_columns: int  # beside the log
    footer_rows: int


def compute_layout(
    width: int,
    height: int,
    *,
    gpus: int,
    problem: bool = False,
    zoom: Zoom = Zoom.NONE,
    opened: bool = False,  # the selected run was opened on a screen that has no room for it next to the runs
    empty: bool = False,  # there is no run at all
) -> Layout:
    minimal = width < 60 or height < 12
    shows_machine = not minimal and zoom is Zoom.NONE
    machine = _machine(width, height, gpus) if shows_machine else (MachineForm.NONE, 0, False, False)
    form, machine_rows, heading, host_row = machine
    governor = 0 if minimal or height < 14 or (zoom is not Zoom.NONE and width < 100) else 1
    problem_rows = 1 if problem and not minimal and height >= 16 and zoom is not Zoom.SELECTED else 0
    footer = int(not minimal)
    below_header = max(0, height - 1) if width >= 20 and height >= 5 else 0
    rest = max(0, below_header - machine_rows - governor - problem_rows - footer)
    beside = width >= 160 and height >= 36 and zoom is Zoom.NONE and not empty
    runs_width, runs_rows, selected_width, selected_rows = _body(
        width, height, rest, beside=beside, zoom=Zoom.RUNS if empty else zoom, opened=opened and not empty
    )
    chart = CHART_COLUMNS if not beside and width >= 110 and selected_rows - 1 >= 9 else 0
    return Layout(
        width=width,
        machine_form=form,
        machine_rows=machine_rows,
        machine_heading=heading,
        host_row=host_row,
        governor_rows=governor,
        problem_rows=problem_rows,
        beside=beside,
        runs_width=runs_width,
        runs_rows=runs_rows,
        selected_width=selected_width,
        selected_rows=selected_rows,
        chart_columns=chart,
        footer_rows=footer,
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


def _body(width: int, height: int, rest: int, *, beside: bool, zoom: Zoom, opened: bool) -> tuple[int, int, int, int]:
    """Returns columns and rows of the runs, then of the selected run."""
    if zoom is Zoom.SELECTED or (opened and height < 20):
        return 0, 0, width, rest
    if zoom is Zoom.RUNS or height < 20 or width < 60:
        return width, rest, 0, 0
    if beside:
        runs = 118 if width <= 200 else width * 3 // 5
        return runs, rest, width - runs, rest
    selected = max(MIN_SELECTED_ROWS, int(rest * SELECTED_SHARE + 0.5))
    return width, rest - selected, width, selected
