"""`list`: unfinished runs and the newest that ended."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from backprop_tui.cli import diagnostics, output, tables, values
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.client.handles import BEST, HELP, LAST, RUNNING, resolve_all
from backprop_tui.client.queueing import queue_positions
from backprop_tui.client.runs import ended_newest_first, record_of, split
from backprop_tui.domain.metric_series import main_loss
from backprop_tui.domain.status import ACTIVE, ENDED, UNFINISHED, Status
from backprop_tui.presentation.known_run import KnownRun, recorded_status
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.presentation.states import PROBLEM_STATUSES, status_word
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.index import RECENT, read_all, read_newest, read_recent

if TYPE_CHECKING:
    from backprop_tui.presentation.run_filter import RunFilter

SUMMARY = "list unfinished runs and the newest 50 that ended"

_SETS = {"unfinished": UNFINISHED, "active": ACTIVE, "ended": ENDED}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("-inf")


def _loss(record: JsonObject) -> tuple[bool, float]:
    """Runs that failed come after the others."""
    name = main_loss(record["metrics"])
    value = None if name is None else record["metrics"][name]
    loss = float(value) if isinstance(value, int | float) else float("inf")
    return record["status"] in PROBLEM_STATUSES, loss


# For each key the value to sort by, and whether the largest comes first: times newest first, losses smallest first.
_SORTS: dict[str, tuple[Callable[[JsonObject], Any], bool]] = {
    "created": (lambda record: str(record["created_at"] or ""), True),
    "started": (lambda record: str(record["started_at"] or ""), True),
    "ended": (lambda record: str(record["ended_at"] or ""), True),
    "took": (lambda record: _number(record["duration_seconds"]), True),
    "step": (lambda record: _number(record["step"]), True),
    "priority": (lambda record: _number(record["priority"]), True),
    "loss": (_loss, False),
    "name": (lambda record: str(record["name"]), False),
    "status": (lambda record: list(Status).index(recorded_status(record)), False),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="*", help=f"only these: {HELP}")
    parser.add_argument("--all", action="store_true", help="the whole history")
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
        "-n", "--limit", metavar="N", type=values.whole(least=0), help="at most N runs (default: unfinished and 50)"
    )
    parser.add_argument(
        "--sort",
        type=lambda key: "took" if key == "time" else key,  # as earlier versions called it
        choices=tuple(_SORTS),
        metavar="KEY",
        help=f"sort by {', '.join(_SORTS)} (default: unfinished first, then newest first)",
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
    if runs.mistakes:
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
    chosen = _chosen([run for run in runs if not arguments.runs or run.record["id"] in run_ids], arguments)
    if arguments.handles:
        _print_handles([run.record for run in chosen])
        return OK
    if session.json:
        output.json_value([run.record for run in chosen])
        return OK
    if arguments.filter is not None and (doubt := _doubt(arguments.filter, runs)):
        diagnostics.say(doubt)
    if chosen:
        tables.show_runs(chosen, session.home.host, {} if arguments.filter is None else arguments.filter.compared)
    elif not runs:
        diagnostics.say("no runs yet; backprop-tui run train.py queues one")
    elif arguments.all or arguments.runs:
        diagnostics.say("no matching runs")
    else:
        diagnostics.say(f"no matching runs among the unfinished and the newest {RECENT}; --all searches every run")
    return OK


def _doubt(runs_filter: RunFilter, runs: Sequence[KnownRun]) -> str | None:
    from backprop_tui.presentation.run_filter import names_of_runs

    return runs_filter.doubt(names_of_runs(runs))


def _print_handles(records: Sequence[JsonObject]) -> None:
    words = [word for record in records for word in (record["id"], record["name"], record["group"]) if word]
    best = [f"{record['group']}{BEST}" for record in records if record["group"]]
    for word in dict.fromkeys([LAST, RUNNING, *words, *best]):
        if word.isprintable() and len(word.split()) == 1:
            output.data(word)


def _indexed(arguments: argparse.Namespace, home: Home) -> dict[str, JsonObject]:
    if arguments.all or arguments.runs:
        return read_all(home)
    return read_recent(home) if (arguments.limit or 0) <= RECENT else read_newest(home)


def _chosen(runs: Sequence[KnownRun], arguments: argparse.Namespace) -> list[KnownRun]:
    now = time.time()
    chosen = [run for run in runs if _matches(run.record, arguments)]
    chosen = [run for run in chosen if arguments.filter is None or arguments.filter.matches(run, now)]
    if arguments.limit is None and not (arguments.all or arguments.runs):
        ended = [run for run in chosen if run.status in ENDED]
        chosen = [run for run in chosen if run.status not in ENDED] + ended[:RECENT]
    if arguments.sort is not None:
        key, descending = _SORTS[arguments.sort]
        chosen.sort(key=lambda run: key(run.record), reverse=descending)
    if arguments.reverse:
        chosen.reverse()
    return chosen[: arguments.limit]


def _matches(record: JsonObject, arguments: argparse.Namespace) -> bool:
    return (
        (arguments.status is None or record["status"] in arguments.status)
        and set(arguments.tag) <= set(record["tags"])
        and arguments.group in (None, record["group"])
        and (arguments.host is None or record["host"] == arguments.host)
    )
