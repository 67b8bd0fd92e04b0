"""`list`, `status RUN` and submission against the length of the history: the 100,001st run costs what the first did."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from itertools import count

from benchmarks.clock import MILLISECONDS, seconds
from benchmarks.figures import Figure, figure_of
from benchmarks.history import grow
from benchmarks.place import BARE_PYTHON, Place, place
from benchmarks.plan import Plan
from benchmarks.samples import Sample, in_turns

LENGTHS = (0, 1000, 10_000, 100_000)
GOAL_STARTS, GOAL_FLATNESS = 2.5, 1.1
SUBMIT, LIST, STATUS = "run -d", "list", "status RUN"
_PYTHON = "python"


def measure(plan: Plan) -> list[Figure]:
    """All commands on all histories in turns, while a supervisor and one run live in each place."""
    lengths = [length for length in LENGTHS if length <= plan.longest_history]
    with ExitStack() as places:
        made = {length: places.enter_context(place()) for length in lengths}
        environment = made[0].environment
        measured = {_PYTHON: lambda: seconds(BARE_PYTHON, environment)}
        for length, where in made.items():
            measured |= {_key(command, length): measure for command, measure in _commands(where, length).items()}
        found = in_turns(plan.rounds, measured)
    figures: list[Figure] = []
    for command in (SUBMIT, LIST, STATUS):
        if _key(command, 0) in found:
            by_length = {length: found[_key(command, length)] for length in lengths}
            figures += _figures(command, by_length, found[_PYTHON])
    return figures


def _key(command: str, length: int) -> str:
    return f"{command} after {length}"


def _commands(where: Place, length: int) -> dict[str, Callable[[], float]]:
    """Those that there are."""
    ids = grow(where.home, length)
    where.keep_supervisor()
    # The oldest run has long left every file that a quick command may read whole.
    oldest = ids[0] if ids else _one_ended(where)
    commands = {
        SUBMIT: _submission(where),
        LIST: lambda: where.seconds("list"),
        STATUS: lambda: where.seconds("status", oldest),
    }
    return {name: measure for name, measure in commands.items() if name == SUBMIT or _is_there(name.split()[0])}


def _one_ended(where: Place) -> str:
    run_ids = where.submit("--", "true")
    where.wait_for_ends(run_ids)
    return run_ids[0]


def _is_there(command: str) -> bool:
    return find_spec(f"backprop_tui.cli.commands.{command}") is not None


def _submission(where: Place) -> Callable[[], float]:
    numbers = count()

    def submit() -> float:
        """What was submitted has ended before anything else is measured."""
        run_id = f"s{next(numbers)}"
        took = where.seconds("run", "-d", "--run-id", run_id, "--", "true")
        where.wait_for_ends([run_id])
        return took

    return submit


def _figures(command: str, by_length: dict[int, Sample], python: Sample) -> list[Figure]:
    longest, shortest = max(by_length), min(by_length)
    told = ", ".join(f"{sample.median * MILLISECONDS:.0f}" for sample in by_length.values())
    return [
        figure_of(
            f"{command}, {longest:,} runs behind",
            by_length[longest].scaled(1 / python.median),
            "starts",
            goal=GOAL_STARTS,
            remark=f"Python {python.median * MILLISECONDS:.1f} ms",
        ),
        figure_of(
            f"{command}, {longest:,} runs behind against {shortest:,}",
            by_length[longest].scaled(1 / by_length[shortest].median),
            "times",
            goal=GOAL_FLATNESS,
            remark=f"{told} ms at {', '.join(f'{length:,}' for length in by_length)}",
        ),
    ]
