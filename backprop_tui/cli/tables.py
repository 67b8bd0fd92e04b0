"""Plain tables: aligned columns that fit the terminal, cells cut or columns left out if needed, one line per row."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from backprop_tui.cli import output
from backprop_tui.client.runs import record_of
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.fitting import columns_of, fitted_name, fitted_title, least_columns, shortened
from backprop_tui.presentation.known_run import KnownRun, Moment, last_loss, step_text
from backprop_tui.presentation.places import place_clause
from backprop_tui.presentation.run_line import reason_text
from backprop_tui.presentation.states import checks_of, status_word
from backprop_tui.store.home import Home
from backprop_tui.store.run_view import RunView

GAP = "  "
_VALUE_OF = r"(best|last)\((.+)\)"  # as it is typed
_MOST_NAME = 40  # columns that a name may take from other columns


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A heading; cells may be cut to `least` columns (None: never): at the end, or as names (`middle`) or `labels` are.

    What tells runs apart in a name has room before other columns have.

    Where a table is too wide, columns are left out: first what says nothing new, being empty or `known` to the reader,
    then those with the highest `spare`. A column without `spare` stays.
    """

    title: str
    right: bool = False
    least: int | None = None
    middle: bool = False
    labels: bool = False
    spare: int = 0
    known: bool = False


RUN_COLUMNS = (
    Column(title="ID"),
    Column(title="STATE", spare=1),
    Column(title="NAME", least=12, middle=True),
    Column(title="STEP", right=True, spare=5),
    Column(title="LOSS", right=True, spare=4),
    Column(title="TOOK", right=True, spare=6),
    Column(title="WHY", least=12, spare=3),
)
_COMPARED = Column(title="", right=True, least=9, middle=True, spare=2)
QUEUE_COLUMNS = (
    Column(title="#", right=True),
    Column(title="ID"),
    Column(title="NAME", least=12, middle=True),
    Column(title="PRIORITY", right=True, spare=1),
    Column(title="WAITS FOR", least=12),
)


def show(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, indent: str = "") -> None:
    """Prints a table that is at most as wide as the terminal; uncut if stdout is not a terminal."""
    width = output.width()
    room = None if width is None else width - len(indent)
    for line in lines(columns, rows, width=room, mark="…" if output.shows_unicode() else "~"):
        output.line(indent + line)


def lines(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, width: int | None, mark: str = "…") -> list[str]:
    """The heading and the rows; `mark` shows where a cell was cut, `width` None cuts nothing."""
    table = [[column.title for column in columns], *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(columns_of(row[index]) for row in table) for index in range(len(columns))]
    shown = dict(enumerate(widths))
    if width is not None:
        columns = [_with_room(column, [row[index] for row in table]) for index, column in enumerate(columns)]
        silent = {index for index, column in enumerate(columns) if column.known or _is_empty(table, index)}
        shown = _shrunk(columns, _kept(columns, shown, silent, width), width)
    fitted = [{index: fitted_title(table[0][index], cells, mark) for index, cells in shown.items()}]
    fitted += [
        {index: _cut(row[index], cells, columns[index], mark) for index, cells in shown.items()} for row in table[1:]
    ]
    return [
        GAP.join(_padded(text, shown[index], columns[index]) for index, text in row.items()).rstrip() for row in fitted
    ]


def _with_room(column: Column, cells: Sequence[str]) -> Column:
    if not column.middle or column.least is None:
        return column
    return replace(column, least=max(column.least, min(_MOST_NAME, max(map(least_columns, cells)))))


def _is_empty(table: Sequence[Sequence[str]], index: int) -> bool:
    return all(row[index] in ("", numbers.NOTHING) for row in table[1:])


def _kept(columns: Sequence[Column], widths: Mapping[int, int], silent: Collection[int], width: int) -> dict[int, int]:
    """The widths of the columns that there is room for: silent ones go before a cell is cut, others if that helps."""
    kept = dict(widths)
    spare = sorted((index for index in kept if columns[index].spare), key=lambda index: (-columns[index].spare, -index))
    for index in (index for index in spare if index in silent):
        if _excess(kept, width) > 0:
            del kept[index]
    for index in (index for index in spare if index in kept):
        least = {index: min(cells, columns[index].least or cells) for index, cells in kept.items()}
        if _excess(least, width) > 0:
            del kept[index]
    return kept


def _shrunk(columns: Sequence[Column], widths: Mapping[int, int], width: int) -> dict[int, int]:
    """Shrinks the widest column that may be cut, again and again; below its `least` if that is not enough."""
    shrunk = dict(widths)
    least = {index: cells for index in shrunk if (cells := columns[index].least) is not None}
    for floors in (least, dict.fromkeys(least, 1)):
        while _excess(shrunk, width) > 0 and (able := [index for index in floors if shrunk[index] > floors[index]]):
            shrunk[max(able, key=lambda index: shrunk[index])] -= 1
    return shrunk


def _excess(widths: Mapping[int, int], width: int) -> int:
    return sum(widths.values()) + len(GAP) * (len(widths) - 1) - width


def _cut(text: str, width: int, column: Column, mark: str) -> str:
    return (fitted_name if column.middle else fitted_title if column.labels else shortened)(text, width, mark)


def _padded(text: str, width: int, column: Column) -> str:
    padding = " " * (width - columns_of(text))
    return padding + text if column.right else text + padding


def one_line(text: str) -> str:
    """The text as one line, safe to print."""
    return text if text.isprintable() else " ".join(sanitize(text).split())


def show_runs(
    runs: Sequence[KnownRun],
    here: str,
    compared: Mapping[str, Callable[[KnownRun], object]] | None = None,
    *,
    sorted_by: str | None = None,
    known: Collection[str] = (),
) -> None:
    """Prints the runs, with the values that they are `compared` by before the last column.

    The values of the `known` ones are known to the reader; the column that they are `sorted_by` is always shown.
    """
    usual = {column.title.lower() for column in RUN_COLUMNS}
    more = {name: value_of for name, value_of in (compared or {}).items() if name not in usual}
    made = (replace(_COMPARED, title=re.sub(_VALUE_OF, r"\1 \2", name), known=name in known) for name in more)
    columns = [
        replace(column, spare=0) if column.title.lower() == sorted_by else column
        for column in (*RUN_COLUMNS[:-1], *made, RUN_COLUMNS[-1])
    ]
    rows, moment = [], Moment.now()
    for run in runs:
        *cells, last = _run_row(run, here, moment)
        rows.append((*cells, *(_value(value_of(run)) for value_of in more.values()), last))
    show(columns, rows)


def _value(value: object) -> str:
    return numbers.metric(value) if isinstance(value, float) else numbers.NOTHING if value is None else str(value)


def _run_row(run: KnownRun, here: str, moment: Moment) -> tuple[str, ...]:
    return (
        run.id,
        status_word(run.record["status"]),
        run.label,
        step_text(run) or numbers.NOTHING,
        numbers.metric(last_loss(run)),
        durations.elapsed(run.record["duration_seconds"]),
        _why(run, here, moment),
    )


def _why(run: KnownRun, here: str, moment: Moment) -> str:
    """Why it is in this state; of a run on another machine than this one also where it is."""
    place, reason = place_clause(run, here), reason_text(run, moment)
    return "; ".join(filter(None, ("" if place.partition(",")[0] in reason else place, reason)))


def show_queue(home: Home, queued: Sequence[RunView], positions: Mapping[str, int]) -> None:
    """Prints the queued runs with every reason that holds each."""
    rows = []
    for record in (record_of(home, view) for view in queued):
        reasons = (
            "; ".join(str(reason["message"]) for reason in checks_of(record["hold_reasons"])) or record["reason"] or ""
        )
        if record["host"] != home.host and record["hold_reasons"] and record["host"] not in reasons:
            reasons += f" (on {record['host']})"
        rows.append(
            (
                str(positions.get(record["id"], numbers.NOTHING)),
                record["id"],
                KnownRun(record=record).label,
                str(record["priority"]),
                reasons,
            )
        )
    show(QUEUE_COLUMNS, rows)
