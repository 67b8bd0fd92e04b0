"""From the command to the first full paint of the dashboard: few runs, a 10 GB log, 10,000 runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.clock import MILLISECONDS
from benchmarks.figures import Figure, figure_of
from benchmarks.history import grow
from benchmarks.place import COMMAND, Place, place
from benchmarks.plan import Plan
from benchmarks.samples import in_turns
from benchmarks.watched import Watched

GOAL_APPS, LENIENT_APPS = 1.2, 1.8
LARGE_LOG_BYTES, MANY_RUNS = 10_000_000_000, 10_000
MINIMAL = (sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts", "minimal_textual.py"))
_NAME, _LAST_LINE, _FOOTER = b"shown-first", b"iteration-00004999", b"all keys"
_MINIMAL = "minimal Textual app"


def measure(plan: Plan) -> list[Figure]:
    """All in turns with a minimal Textual application."""
    with ExitStack() as places:
        made = {name: places.enter_context(place()) for name in ("few runs", "a 10 GB log", "10,000 runs")}
        grow(made["10,000 runs"].home, MANY_RUNS)
        for where in made.values():
            _run_that_is_shown(where)
        _enlarge(made["a 10 GB log"])
        minimal = made["few runs"].environment
        starts: dict[str, Callable[[], float]] = {_MINIMAL: lambda: _minimal(minimal)}
        found = in_turns(plan.rounds, starts | {name: _start(where) for name, where in made.items()})
    floor = found[_MINIMAL].median
    return [
        figure_of(
            f"dashboard's first full paint, {name}",
            found[name].scaled(1 / floor),
            "apps",
            goal=GOAL_APPS,
            lenient=LENIENT_APPS,
            remark=f"{found[name].median * MILLISECONDS:.0f} ms, minimal Textual app {floor * MILLISECONDS:.0f}",
        )
        for name in made
    ]


def _minimal(environment: dict[str, str]) -> float:
    watched = Watched(MINIMAL, environment)
    try:
        return watched.seconds_until(b"minimal-is-there")
    finally:
        watched.close()


def _start(where: Place) -> Callable[[], float]:
    """Until the newest run's row, the last line of its log and the footer are there."""

    def start() -> float:
        watched = Watched((COMMAND,), where.environment)
        try:
            return watched.seconds_until(_NAME, _LAST_LINE, _FOOTER)
        finally:
            watched.close(b"q")

    return start


def _run_that_is_shown(where: Place) -> None:
    """The newest, which the cursor begins at."""
    printing = "for number in range(5000): print(f'iteration-{number:08d} loss 0.0173')"
    where.wait_for_ends(where.submit("--name", _NAME.decode(), "--", sys.executable, "-c", printing))
    where.wait_until_idle()


def _enlarge(where: Place) -> None:
    """Nothing but a hole stands before the last lines: what is read of it is what would be read of any other log."""
    (run_id,) = os.listdir(where.home.runs)
    log = where.directory(run_id).log
    with open(log, "rb+") as file:
        lines = file.read()
        file.seek(LARGE_LOG_BYTES - len(lines))
        file.write(lines)
