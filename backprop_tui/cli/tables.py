"""Plain tables: aligned columns that fit the terminal, cells cut if needed, one line per row whatever its content."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from backprop_tui.cli import output
from backprop_tui.client.runs import record_of
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.known_run import KnownRun, Moment, last_loss, step_text
from backprop_tui.presentation.places import place_clause
from backprop_tui.presentation.run_line import reason_text
from backprop_tui.presentation.states import checks_of, status_word
from backprop_tui.store.home import Home
from backprop_tui.store.run_view import RunView

GAP = "  "


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A heading; cells may be cut to `least` columns (None: never), at the end or in the `middle`."""

    title: str
    right: bool = False
    least: int | None = None
    middle: bool = False


RUN_COLUMNS = (
    Column(title="ID"),
    Column(title="STATE"),
    Column(title="NAME", least=12, middle=True),
    Column(title="STEP", right=True),
    Column(title="LOSS", right=True),
    Column(title="TOOK", right=True),
    Column(title="WHY", least=12),
)
QUEUE_COLUMNS = (
    Column(title="#", right=True),
    Column(title="ID"),
    Column(title="NAME", least=12, middle=True),
    Column(title="PRIORITY", right=True),
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
    if width is not None:
        widths = _shrunk(columns, widths, width)
    return [
        GAP.join(_cell(cell, widths[index], columns[index], mark) for index, cell in enumerate(row)).rstrip()
        for row in table
    ]


def _shrunk(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    """Shrinks the widest column that may be cut, again and again, until the table fits or nothing can be cut."""
    shrunk = list(widths)
    excess = sum(shrunk) + len(GAP) * (len(shrunk) - 1) - width
    while excess > 0:
        able = [
            index for index, column in enumerate(columns) if column.least is not None and shrunk[index] > column.least
        ]
        if not able:
            break
        shrunk[max(able, key=lambda index: shrunk[index])] -= 1
        excess -= 1
    return shrunk


def _cell(text: str, width: int, column: Column, mark: str) -> str:
    cut = shortened(text, width, mark, middle=column.middle)
    padding = " " * (width - columns_of(cut))
    return padding + cut if column.right else cut + padding


def shortened(text: str, width: int, mark: str = "…", *, middle: bool = False) -> str:
    """The text in at most `width` columns, with a mark where it was cut: at the end, or after a third."""
    if columns_of(text) <= width:
        return text
    room = width - len(mark)
    if room < 0:
        return ""
    tail = _fitting(text[::-1], room - room // 3)[::-1] if middle else ""
    return _fitting(text, room - columns_of(tail)) + mark + tail


def _fitting(text: str, width: int) -> str:
    if text.isascii():
        return text[: max(0, width)]
    end = 0
    while end < len(text) and columns_of(text[: end + 1]) <= width:
        end += 1
    return text[:end]


def one_line(text: str) -> str:
    """The text as one line, safe to print."""
    return text if text.isprintable() else " ".join(sanitize(text).split())


def columns_of(text: str) -> int:
    """How many columns of a terminal a printable text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # only if a name needs it

    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def show_runs(
    runs: Sequence[KnownRun], here: str, compared: Mapping[str, Callable[[KnownRun], object]] | None = None
) -> None:
    """Prints the runs, with the values that they are `compared` by before the last column."""
    known = {column.title.lower() for column in RUN_COLUMNS}
    more = {name: value_of for name, value_of in (compared or {}).items() if name not in known}
    columns = [*RUN_COLUMNS[:-1], *(Column(title=name, right=True) for name in more), RUN_COLUMNS[-1]]
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
                record["name"],
                str(record["priority"]),
                reasons,
            )
        )
    show(QUEUE_COLUMNS, rows)
