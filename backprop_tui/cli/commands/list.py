"""`list`: unfinished runs and the newest that ended."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from backprop_tui.cli import diagnostics, output, rows, tables, values
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.handles import HELP, resolve_all
from backprop_tui.cli.places import places
from backprop_tui.cli.records import ended_newest_first, record_of, split
from backprop_tui.cli.session import Session
from backprop_tui.cli.waking import wake
from backprop_tui.domain.live import Live
from backprop_tui.domain.metric_names import main_loss
from backprop_tui.domain.status import ACTIVE, ENDED, UNFINISHED, Status
from backprop_tui.domain.values import dataclass
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.index import RECENT, read_all, read_newest, read_recent
from backprop_tui.store.run_view import RunView

SUMMARY = "list unfinished runs and the newest 50 that ended"

_SETS = {"unfinished": UNFINISHED, "active": ACTIVE, "ended": ENDED}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("-inf")


def _least_loss(record: JsonObject) -> float:
    name = main_loss(record["metrics"])
    value = None if name is None else record["metrics"][name]
    return float(value) if isinstance(value, int | float) else float("inf")


# How each key sorts: times newest first, amounts largest first, a loss smallest first, words from A to Z.
_SORTS: dict[str, tuple[Callable[[JsonObject], Any], bool]] = {
    "created": (lambda record: str(record["created_at"] or ""), True),
    "started": (lambda record: str(record["started_at"] or ""), True),
    "ended": (lambda record: str(record["ended_at"] or ""), True),
    "time": (lambda record: _number(record["duration_seconds"]), True),
    "step": (lambda record: _number(record["step"]), True),
    "priority": (lambda record: _number(record["priority"]), True),
    "loss": (_least_loss, False),
    "name": (lambda record: str(record["name"]), False),
    "status": (lambda record: list(Status).index(Status(record["status"])), False),
}


@dataclass(frozen=True, slots=True)
class _Listed:
    """A run with what its line needs besides its record."""

    record: JsonObject
    live: Live | None = None
    place: int | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs, in which order, how many."""
    parser.add_argument("runs", metavar="RUN", nargs="*", help=f"only these: {HELP}")
    parser.add_argument("--all", action="store_true", help="the whole history")
    parser.add_argument(
        "--status",
        metavar="STATUS",
        type=_statuses,
        help="only these, separated by commas: a status such as failed, or unfinished, active, ended",
    )
    parser.add_argument("--tag", metavar="TAG", action="append", default=[], help="only those that have it; repeatable")
    parser.add_argument("--group", metavar="NAME", help="only the runs of this group")
    parser.add_argument("--host", metavar="HOST", help="only those of this machine")
    parser.add_argument("--limit", metavar="N", type=values.whole(least=0), help="at most N lines (unfinished and 50)")
    parser.add_argument(
        "--sort",
        choices=tuple(_SORTS),
        metavar="KEY",
        help=f"by {', '.join(_SORTS)} (unfinished first, then newest first); each its natural way round",
    )
    parser.add_argument("--handles", action="store_true", help=argparse.SUPPRESS)  # for completion
    parser.add_argument("--reverse", action="store_true", help="the other way round")


def _statuses(text: str) -> frozenset[str]:
    found: set[str] = set()
    for word in text.split(","):
        name = word.strip().lower()
        if name in _SETS:
            found |= _SETS[name]
        elif name in set(Status):
            found.add(name)
        else:
            known = ", ".join([*Status, *_SETS])
            raise argparse.ArgumentTypeError(f"{name!r} is no status; there are {known}")
    return frozenset(found)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Prints the runs."""
    unfinished, unindexed = split(session.home)
    wake(session, unfinished)
    found = [
        *_unfinished(session.home, unfinished),
        *(_Listed(record) for record in ended_newest_first(_indexed(arguments, session.home), unfinished, unindexed)),
    ]
    wanted = set(resolve_all(session, arguments.runs))
    chosen = _chosen([one for one in found if not arguments.runs or one.record["id"] in wanted], arguments)
    if arguments.handles:
        _print_handles(one.record for one in chosen)
        return OK
    if session.json:
        output.json_value([one.record for one in chosen])
        return OK
    if chosen:
        tables.show(rows.COLUMNS, [rows.row(one.record, place=one.place) for one in chosen])
    _advise(arguments, shown=len(chosen), known=len(found))
    return OK


def _print_handles(records: Iterable[JsonObject]) -> None:
    """What a run answers to, a word a line."""
    known = list(records)
    words = [word for one in known for word in (one["id"], one["name"], one["group"]) if word]
    best = [f"{one['group']}@best" for one in known if one["group"]]
    for word in dict.fromkeys(["@last", "@running", *words, *best]):
        if word.isprintable() and len(word.split()) == 1:
            output.line(word)


def _unfinished(home: Home, views: Sequence[RunView]) -> list[_Listed]:
    numbers = places(home, views)
    return [_Listed(record_of(home, one), one.live, numbers.get(one.run.id)) for one in views]


def _indexed(arguments: argparse.Namespace, home: Home) -> dict[str, JsonObject]:
    """As little of the history as answers."""
    if arguments.all or arguments.runs:
        return read_all(home)
    return read_recent(home) if (arguments.limit or 0) <= RECENT else read_newest(home)


def _chosen(found: Sequence[_Listed], arguments: argparse.Namespace) -> list[_Listed]:
    chosen = [one for one in found if _is_wanted(one.record, arguments)]
    if arguments.limit is None and not (arguments.all or arguments.runs):
        chosen = _without_oldest(chosen)
    if arguments.sort is not None:
        key, descending = _SORTS[arguments.sort]
        chosen.sort(key=lambda one: key(one.record), reverse=descending)
    if arguments.reverse:
        chosen.reverse()
    return chosen[: arguments.limit]


def _without_oldest(chosen: Sequence[_Listed]) -> list[_Listed]:
    """The newest that ended are 50, however many are not yet indexed."""
    ended = [one for one in chosen if one.record["status"] in ENDED]
    return [one for one in chosen if one.record["status"] not in ENDED] + ended[:RECENT]


def _is_wanted(record: JsonObject, arguments: argparse.Namespace) -> bool:
    return (
        (arguments.status is None or record["status"] in arguments.status)
        and set(arguments.tag) <= set(record["tags"])
        and arguments.group in (None, record["group"])
        and (arguments.host is None or record["host"] == arguments.host)
    )


def _advise(arguments: argparse.Namespace, *, shown: int, known: int) -> None:
    if not known:
        diagnostics.say("no runs yet; backprop-tui run train.py queues one")
    elif not shown and not (arguments.all or arguments.runs):
        diagnostics.say(f"none of the unfinished and the newest {RECENT} runs is such a one; --all looks at every run")
    elif not shown:
        diagnostics.say("no run is such a one")
