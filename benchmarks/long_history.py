"""`list`, `status RUN` and submission against the length of the history: as quick on the 100,001st run as on the first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec

from benchmarks.clock import MILLISECONDS, seconds
from benchmarks.figures import Figure, figure_of
from benchmarks.history import grow
from benchmarks.place import BARE_PYTHON, Place, place
from benchmarks.plan import Plan
from benchmarks.samples import Sample, in_turns

LENGTHS = (0, 1000, 10_000, 100_000)
GOAL_STARTS, GOAL_FLATNESS = 2.5, 1.1
Key = tuple[str, int]  # a command, and the length of the history


def measure(plan: Plan) -> list[Figure]:
    """All commands on all histories in turns, while a supervisor and one run live in each place."""
    lengths = [length for length in LENGTHS if length <= plan.longest_history]
    with ExitStack() as places:
        made = {length: places.enter_context(place()) for length in lengths}
        measured: dict[Key, Callable[[], float]] = {}
        for length, where in made.items():
            measured |= _commands(where, length)
        environment = made[0].environment
        named = {f"{command} {length}": measure_one for (command, length), measure_one in measured.items()}
        found = in_turns(plan.rounds, {"python": lambda: seconds(BARE_PYTHON, environment)} | named)
    python = found["python"]
    commands = dict.fromkeys(command for command, _ in measured)
    return [
        figure
        for command in commands
        for figure in _figures(command, {length: found[f"{command} {length}"] for length in lengths}, python)
    ]


def _commands(where: Place, length: int) -> dict[Key, Callable[[], float]]:
    ids = grow(where.home, length)
    active = where.keep_supervisor()
    # The oldest one has long left every file that a quick command may read.
    asked = ids[0] if ids else active
    commands: dict[Key, Callable[[], float]] = {("run -d", length): lambda: _submission(where)}
    if _is_there("list"):
        commands["list", length] = lambda: where.seconds("list")
    if _is_there("status"):
        commands["status RUN", length] = lambda: where.seconds("status", asked)
    return commands


def _is_there(command: str) -> bool:
    return find_spec(f"backprop_tui.cli.commands.{command}") is not None


def _submission(where: Place) -> float:
    """One at a time: what was submitted has ended before anything else is measured."""
    run_id = f"s{len(_submitted(where))}"
    took = where.seconds("run", "-d", "--run-id", run_id, "--", "true")
    where.wait_for_ends([run_id])
    return took


def _submitted(where: Place) -> list[str]:
    import os

    return [name for name in os.listdir(where.home.runs) if name.startswith("s")]


def _figures(command: str, by_length: dict[int, Sample], python: Sample) -> list[Figure]:
    longest, shortest = max(by_length), min(by_length)
    told = ", ".join(f"{sample.median * MILLISECONDS:.0f}" for sample in by_length.values())
    flatness = by_length[longest].scaled(1 / by_length[shortest].median)
    return [
        figure_of(
            f"{command}, {longest:,} runs behind",
            by_length[longest].scaled(1 / python.median),
            "starts",
            goal=GOAL_STARTS,
            remark=f"Python {python.median * MILLISECONDS:.1f} ms",
        ),
        figure_of(
            f"{command}, {longest:,} runs against {shortest:,}",
            flatness,
            "x",
            goal=GOAL_FLATNESS,
            remark=f"ms at {', '.join(f'{length:,}' for length in by_length)} runs: {told}",
        ),
    ]
