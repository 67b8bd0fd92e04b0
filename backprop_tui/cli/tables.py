"""Plain tables: aligned columns that fit the terminal, cells cut or columns left out if needed, one line per row."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from backprop_tui.cli import output
from backprop_tui.client.runs import record_of
from backprop_tui.domain.arguments import plain_name
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.fitting import (
    columns_of,
    fitted_name,
    fitted_title,
    least_columns,
    short_names,
    shortened,
)
from backprop_tui.presentation.known_run import KnownRun, Moment, last_loss, step_text
from backprop_tui.presentation.places import place_clause
from backprop_tui.presentation.run_facts import alike_in_all, settings_of, without_words
from backprop_tui.presentation.run_line import reason_text
from backprop_tui.presentation.states import checks_of, status_word
from backprop_tui.store.home import Home
from backprop_tui.store.run_view import RunView

GAP = "  "
_VALUE_OF = r"(best|last)\((.+)\)"  # as it is typed
_NUMBER = re.compile(  # `0.41`, `~0.4123 ±0.0035`, `1e-3 *`, `120/200`, `12.5%`
    r"~?[-+]?[\d.,]*\d(?:e[-+]?\d+)?(?:%|\s?[a-zA-Z]{1,3})?(?:[/-][\d.,]+[a-zA-Z]?)?(?: ±\S+)?(?: \*)?", re.ASCII
)
_DIGITS = re.compile(r"[.,]?\d|(?<=\d)[eE][-+]?\d")
_TIMES = ("created", "started", "ended")
_NAME = 2  # the column
_MOST_ARGUMENTS = 2  # in columns that always have room
_MOST_NAME = 40  # columns that a name may take from other columns


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A heading; cells may be cut to `least` columns (None: never): at the end, or as names (`middle`) or `labels` are.

    What tells runs apart in a name has room before other columns have. Of `values`, numbers are never cut.

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
    values: bool = False
    others: Collection[str] = ()  # what the arguments in names must not be mistaken for


RUN_COLUMNS = (
    Column(title="ID"),
    Column(title="STATE", spare=2),
    Column(title="NAME", least=12, middle=True),
    Column(title="STEP", right=True, spare=6),
    Column(title="LOSS", right=True, spare=5),
    Column(title="TOOK", right=True, spare=7),
    Column(title="WHY", least=12, spare=4),
)
_COMPARED = Column(title="", right=True, least=9, middle=True, spare=1, values=True)
_TIME = Column(title="", right=True, spare=3)
_MOST_TITLE = 16  # columns of a heading that is not cut
QUEUE_COLUMNS = (
    Column(title="#", right=True),
    Column(title="ID"),
    Column(title="NAME", least=12, middle=True),
    Column(title="PRIORITY", right=True, spare=1),
    Column(title="WAITS FOR", least=12),
)


def show(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, counts_left_out: bool = False) -> None:
    """Prints a table that is at most as wide as the terminal; uncut if stdout is not a terminal.

    `counts_left_out`: a last line names the columns that there is no room for.
    """
    mark = "…" if output.shows_unicode() else "~"
    for line in lines(columns, rows, width=output.width(), mark=mark, counts_left_out=counts_left_out):
        output.line(line)


def lines(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    width: int | None,
    mark: str = "…",
    counts_left_out: bool = False,
) -> list[str]:
    """The heading and the rows; `mark` shows where a cell was cut, `width` None cuts nothing."""
    table = [[column.title for column in columns], *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(columns_of(row[index]) for row in table) for index in range(len(columns))]
    shown = dict(enumerate(widths))
    if width is not None:
        cells = [[row[index] for row in table] for index in range(len(columns))]
        numbered = [max(1, _widest_number(column, cells[index])) for index, column in enumerate(columns)]
        columns = [_with_room(column, cells[index]) for index, column in enumerate(columns)]
        silent = {index for index, column in enumerate(columns) if column.known or _is_empty(table, index)}
        shown = _shrunk(columns, numbered, _kept(columns, shown, silent, width), width)
    called = {
        index: short_names((row[index] for row in table[1:]), cells, mark, columns[index].others)
        for index, cells in shown.items()
        if columns[index].middle
    }
    fitted = [{index: fitted_title(table[0][index], cells, mark) for index, cells in shown.items()}]
    fitted += [
        {index: _cut(row[index], cells, columns[index], mark, called.get(index)) for index, cells in shown.items()}
        for row in table[1:]
    ]
    drawn = [
        GAP.join(_padded(text, shown[index], columns[index]) for index, text in row.items()).rstrip() for row in fitted
    ]
    left_out = [table[0][index] for index in range(len(columns)) if index not in shown and not _is_empty(table, index)]
    return drawn + (_left_out_lines(left_out, width) if counts_left_out and width is not None else [])


def _left_out_lines(titles: Sequence[str], width: int) -> list[str]:
    if not titles:
        return []
    from textwrap import wrap  # only if a table needs it

    return wrap(f"no room for {counted(len(titles), 'column')}: {', '.join(titles)}", max(1, width))


def _with_room(column: Column, cells: Sequence[str]) -> Column:
    """The column with the least that its cells need; one of numbers is not cut at all."""
    if column.least is None:
        return column
    names = min(_MOST_NAME, least_columns(cells, column.others)) if column.middle else 0
    return replace(column, least=max(column.least, names, _widest_number(column, cells)))


def _widest_number(column: Column, cells: Sequence[str]) -> int:
    return max(map(columns_of, filter(_NUMBER.fullmatch, cells)), default=0) if column.values else 0


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


def _shrunk(
    columns: Sequence[Column], numbered: Sequence[int], widths: Mapping[int, int], width: int
) -> dict[int, int]:
    """Shrinks the widest column that may be cut, again and again.

    If that is not enough, below its `least`, down to its widest number.
    """
    shrunk = dict(widths)
    least = {index: cells for index in shrunk if (cells := columns[index].least) is not None}
    for floors in (least, {index: numbered[index] for index in least}):
        while _excess(shrunk, width) > 0 and (able := [index for index in floors if shrunk[index] > floors[index]]):
            shrunk[max(able, key=lambda index: shrunk[index])] -= 1
    return shrunk


def _excess(widths: Mapping[int, int], width: int) -> int:
    return sum(widths.values()) + len(GAP) * (len(widths) - 1) - width


def _cut(text: str, width: int, column: Column, mark: str, called: Mapping[str, str] | None) -> str:
    if column.middle:
        return fitted_name(text, width, mark, table=called)
    cut = (fitted_title if column.labels else shortened)(text, width, mark)
    if cut == text or column.labels or not _DIGITS.match(text, len(cut) - len(mark)):
        return cut
    return re.sub(r"[-+]?\d[\d.,]*$", "", cut.removesuffix(mark)).rstrip() + mark  # not a part of a number


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

    The values of the `known` ones are known to the reader; the column that they are `sorted_by` is always shown. In a
    terminal, names leave out the arguments that have columns, and those that all runs have alike, which a last line
    says.
    """
    usual = {column.title.lower() for column in RUN_COLUMNS}
    more = {name: value_of for name, value_of in (compared or {}).items() if name not in usual}
    options = frozenset(name for run in runs for name in settings_of(run.record))
    shown = _always_shown([name for name in more if name not in known], options) | {sorted_by}
    made = [_compared_column(name, stays=name in shown) for name in more]
    known = [*known, *(["STEP"] if len({step_text(run) for run in runs}) == 1 < len(runs) else [])]
    columns = [
        replace(
            column,
            spare=0 if column.title.lower() == sorted_by else column.spare,
            known=column.title.lower() in known or column.title in known,
            others=options if column.middle else (),
        )
        for column in (*RUN_COLUMNS[:-1], *made, RUN_COLUMNS[-1])
    ]
    alike = _alike(runs) if output.width() is not None else []
    moment, rows = Moment.now(), []
    for run in runs:
        *cells, last = _run_row(run, here, moment)
        cells[_NAME] = _name(run, {*map(plain_name, filter(None, shown))}, alike)
        rows.append((*cells, *(_value(value_of(run)) for value_of in more.values()), last))
    show(columns, rows)
    unsaid = [one_line(word) for word in alike if word.partition("=")[0] not in {*known, *shown}]
    if unsaid:
        output.line(f"the same in all: {' '.join(unsaid)}")


def _always_shown(names: Sequence[str], options: Collection[str]) -> set[str]:
    """The arguments among these that have room in every terminal, so that names need not have them."""
    plain = set(map(plain_name, options))
    arguments = [name for name in names if plain_name(name) in plain]
    return set() if output.width() is None else set(arguments[:_MOST_ARGUMENTS])


def _compared_column(name: str, *, stays: bool) -> Column:
    title = name.upper() if name in _TIMES else re.sub(_VALUE_OF, r"\1 \2", name)
    column = replace(_TIME if name in _TIMES else _COMPARED, title=title)
    return replace(column, spare=0, least=None if len(title) <= _MOST_TITLE else column.least) if stays else column


def _alike(runs: Sequence[KnownRun]) -> list[str]:
    """The arguments in the names of several runs that all of them have alike: `lr=1e-3`."""
    if len(runs) == 1:
        return []
    in_names = {word for run in runs for word in run.arguments.split(" ")}
    return list(map("=".join, alike_in_all(runs, in_names).items()))


def _name(run: KnownRun, shown: Collection[str], alike: Collection[str]) -> str:
    if output.width() is None:
        return run.label
    words = [word for word in run.arguments.split(" ") if plain_name(word.partition("=")[0]) in shown]
    return without_words(run.label, {*alike, *words})


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
