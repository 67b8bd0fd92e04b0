"""`list`: unfinished runs and the newest that ended."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from backprop_tui.cli import diagnostics, output, tables, values
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.client.handles import BEST, HELP, LAST, RUNNING, resolve_all
from backprop_tui.client.queueing import queue_positions
from backprop_tui.client.runs import ended_newest_first, record_of, split
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.similar import nearest
from backprop_tui.domain.status import ACTIVE, ENDED, UNFINISHED, Status
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.presentation.states import status_word
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.index import KEPT, RECENT, read_all, read_newest, read_recent

if TYPE_CHECKING:
    from backprop_tui.presentation.run_filter import RunFilter
    from backprop_tui.presentation.run_order import RunSort

SUMMARY = "list unfinished runs and the newest 50 that ended"

_SORTS = "created, started, ended, took, step, priority, loss, best, name, status"
_MAX_NAMED = 12
_STARTED = "started"
_SETS = {"unfinished": UNFINISHED, "active": ACTIVE, "ended": ENDED}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="*", help=f"only these: {HELP}")
    parser.add_argument(
        "--all", action="store_true", help="the whole history, as with every option that selects or sorts"
    )
    parser.add_argument(
        "--status",
        metavar="STATUS",
        type=_statuses,
        help="only these, separated by commas: a status such as failed, or unfinished, active, ended",
    )
    parser.add_argument("--tag", metavar="TAG", action="append", default=[], help="only with this tag; repeatable")
    parser.add_argument("--group", metavar="NAME", help="only the runs of this group")
    parser.add_argument("--host", metavar="HOST", help="only runs of this machine")
    parser.add_argument(
        "--filter",
        metavar="WORDS",
        type=_filter,
        help='only runs that match all words, as in the dashboard: "nano lr=1e-3 val_loss<0.1 since:7d failed"',
    )
    parser.add_argument(
        "-n",
        "--limit",
        metavar="N",
        type=values.whole(least=0),
        help="at most N runs (default: unfinished and 50; all that are selected or sorted)",
    )
    parser.add_argument(
        "--sort",
        type=lambda key: "took" if key == "time" else key,  # as earlier versions called it
        metavar="KEY",
        help=f"sort by {_SORTS}, a metric or an argument, the best or newest first; best(val_loss) is a best "
        "value, best that of each run's own objective "
        "(default: unfinished first, then newest first)",
    )
    parser.add_argument("--handles", action="store_true", help=argparse.SUPPRESS)  # for completion
    parser.add_argument("--reverse", action="store_true", help="reverse the order")


def _statuses(text: str) -> frozenset[str]:
    statuses: set[str] = set()
    for word in text.split(","):
        name = word.strip().lower()
        name = Status.QUEUED if name == status_word(Status.QUEUED) else name
        if name in _SETS:
            statuses |= _SETS[name]
        elif name in set(Status):
            statuses.add(name)
        else:
            known = ", ".join([*map(status_word, Status), *_SETS])
            raise argparse.ArgumentTypeError(f"{name!r} is not a status; use {known}")
    return frozenset(statuses)


def _filter(text: str) -> RunFilter:
    from backprop_tui.presentation.run_filter import RunFilter

    runs = RunFilter.parse(text)
    if runs.mistakes and not runs.open:
        raise argparse.ArgumentTypeError(runs.mistakes[0])
    return runs


def execute(arguments: argparse.Namespace, session: Session) -> int:
    unfinished, unindexed = split(session.home)
    session.ensure_supervisor([*unfinished, *unindexed])
    ended = ended_newest_first(_indexed(arguments, session.home), unfinished, unindexed)
    positions = queue_positions(unfinished)
    runs = [
        KnownRun(
            record=record_of(session.home, view),
            run=view.run,
            live=view.live,
            queue_position=positions.get(view.run.id),
        )
        for view in unfinished
    ]
    runs = with_labels([*runs, *(KnownRun(record=record) for record in ended)])
    run_ids = set(resolve_all(session, arguments.runs))
    matching = [run for run in runs if not arguments.runs or run.record["id"] in run_ids]
    now = time.time()
    matching = [run for run in matching if _matches(run, arguments, now)]
    if arguments.filter is not None and arguments.filter.open:
        _refuse(arguments.filter, runs)
    sort = None if arguments.sort is None else _sort_by(arguments.sort, runs, matching)
    chosen = _chosen(matching, arguments, sort)
    if arguments.handles:
        _print_handles([run.record for run in chosen])
        return OK
    if session.json:
        output.json_value([run.record for run in chosen])
        return OK
    session.warn_of_settings()
    if arguments.filter is not None and (doubt := _doubt(arguments.filter, runs, matched=bool(chosen))):
        diagnostics.say(doubt)
    if chosen:
        _show(chosen, session.home.host, arguments, sort)
    elif not runs:
        diagnostics.say("no runs yet; backprop-tui run train.py queues one")
    else:
        diagnostics.say("no matching runs")
    return OK


def _refuse(runs_filter: RunFilter, runs: Sequence[KnownRun]) -> NoReturn:
    """Raises: UsageError: what a comparison without a value may be compared with."""
    from backprop_tui.presentation.filter_names import names_of_runs

    names = names_of_runs(runs)
    hint = runs_filter.unknown(names) or names.expected(runs_filter.open[0])
    raise UsageError(f"--filter: {runs_filter.mistakes[0]}", hint or None)


def _show(chosen: Sequence[KnownRun], here: str, arguments: argparse.Namespace, sort: RunSort | None) -> None:
    """Prints the runs, with what they are sorted and filtered by; in a terminal with room also when they started."""
    filtered_times = () if arguments.filter is None else arguments.filter.times
    known = () if arguments.filter is None else arguments.filter.equal
    times = dict.fromkeys([*filtered_times, *([] if output.width() is None else [_STARTED])])
    compared = {
        **_sorted_column(arguments.sort, sort, chosen),
        **{name: text for name in times if (text := _column(name, chosen)) is not None},
        **({} if arguments.filter is None else arguments.filter.compared),
    }
    is_asked = _STARTED in (arguments.sort, *filtered_times)
    known = known if is_asked else (*known, _STARTED)
    known = (*known, "LOSS") if _asks_for_metric(sort, arguments.filter, chosen) else known
    tables.show_runs(chosen, here, compared, sorted_by=arguments.sort, known=known)


def _asks_for_metric(sort: RunSort | None, runs_filter: RunFilter | None, runs: Sequence[KnownRun]) -> bool:
    """Whether a metric is sorted or compared by, so that the main loss is only of interest where there is room."""
    if sort is not None and sort.key.startswith(("best", "last:")):
        return True
    names = () if runs_filter is None else runs_filter.names
    return any(name in (run.record.get("metrics") or ()) or "(" in name for name in names for run in runs[:1])


def _sort_by(word: str, runs: Sequence[KnownRun], matching: Sequence[KnownRun]) -> RunSort | None:
    """The order of the matching ones among the runs. Raises: UsageError."""
    from backprop_tui.presentation.filter_names import names_of_runs
    from backprop_tui.presentation.run_order import RunSort, column_named, doubt_of_sort

    names = names_of_runs(runs)
    key = column_named(word, names)
    if key is not None:
        sort = RunSort.by(key, matching)
        if doubt := doubt_of_sort(sort, matching):
            raise UsageError(
                f"cannot sort by {word!r}: {doubt}", "name one, such as best(val_loss), or filter the runs"
            )
        return sort
    if not runs:
        return None
    near = nearest(word, [*_SORTS.split(", "), *names.all])
    hint = (
        f"did you mean {near}?"
        if near
        else f"sort by {', '.join(dict.fromkeys([*_SORTS.split(', '), *names.all[:_MAX_NAMED]]))}"
    )
    raise UsageError(f"cannot sort by {word!r}: no run has an argument or a metric of that name", hint)


def _sorted_column(
    word: str, sort: RunSort | None, runs: Sequence[KnownRun]
) -> Mapping[str, Callable[[KnownRun], str | None]]:
    """What the runs are sorted by, by the name of its column; empty if it has no text."""
    text = None if sort is None else _column(sort.key, runs)
    return {} if text is None else {word: text}


def _column(key: str, runs: Sequence[KnownRun]) -> Callable[[KnownRun], str | None] | None:
    """What the column says of a run; None if it says nothing of any."""
    from backprop_tui.presentation.run_fields import field_of

    field, moment = field_of(key), Moment.now()
    if field is None or not any(field.text(run, moment) for run in runs):
        return None
    return lambda run: field.text(run, moment) or None


def _doubt(runs_filter: RunFilter, runs: Sequence[KnownRun], *, matched: bool) -> str | None:
    from backprop_tui.presentation.filter_names import names_of_runs

    return runs_filter.doubt(names_of_runs(runs), matched=matched)


def _print_handles(records: Sequence[JsonObject]) -> None:
    words = [word for record in records for word in (record["id"], record["name"], record["group"]) if word]
    best = [f"{record['group']}{BEST}" for record in records if record["group"]]
    for word in dict.fromkeys([LAST, RUNNING, *words, *best]):
        if word.isprintable() and len(word.split()) == 1:
            output.data(word)


def _indexed(arguments: argparse.Namespace, home: Home) -> dict[str, JsonObject]:
    """As much of the index as the answer takes: it must not depend on how many runs are newer."""
    if _asks_for_old_runs(arguments):
        return read_all(home)
    limit = arguments.limit or 0
    return read_recent(home) if limit <= RECENT else read_newest(home) if limit <= KEPT else read_all(home)


def _asks_for_old_runs(arguments: argparse.Namespace) -> bool:
    if arguments.status is not None and arguments.status <= UNFINISHED:
        return False
    selects = (arguments.runs, arguments.status, arguments.tag, arguments.group, arguments.host, arguments.filter)
    return arguments.all or arguments.sort is not None or any(selects)


def _chosen(runs: Sequence[KnownRun], arguments: argparse.Namespace, sort: RunSort | None) -> list[KnownRun]:
    moment = Moment.now()
    chosen = list(runs)
    if arguments.limit is None and not _asks_for_old_runs(arguments):
        ended = [run for run in chosen if run.status in ENDED]
        chosen = [run for run in chosen if run.status not in ENDED] + ended[:RECENT]
    if sort is not None:
        from backprop_tui.presentation.run_order import sort_runs

        chosen = sort_runs(chosen, sort.reversed if arguments.reverse else sort, moment)
    elif arguments.reverse:
        chosen.reverse()
    return chosen[: arguments.limit]


def _matches(run: KnownRun, arguments: argparse.Namespace, now: float) -> bool:
    record = run.record
    return (
        (arguments.status is None or record["status"] in arguments.status)
        and set(arguments.tag) <= set(record["tags"])
        and arguments.group in (None, record["group"])
        and (arguments.host is None or record["host"] == arguments.host)
        and (arguments.filter is None or arguments.filter.matches(run, now))
    )
