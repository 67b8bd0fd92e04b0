"""What it costs a script to be run by us: the CPU time of one that prints two million lines, against `> file`.

A script under us has PYTHONUNBUFFERED=1, so that its last words are never lost; whoever types `python script > file`
has not. So both are compared: against the same environment (what we cost), and against the usual one (what that
variable costs a script that prints without end).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from benchmarks.clock import seconds
from benchmarks.figures import Figure, figure_of
from benchmarks.place import Place, place
from benchmarks.plan import Plan
from benchmarks.samples import Sample, in_turns

LINES = 2_000_000
GOAL = 1.02
ROUNDS = 7
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts", "prints_lines.py")
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}


def measure(plan: Plan) -> list[Figure]:
    """Left to itself, and followed by the command that started it."""
    with place() as where:
        where.keep_supervisor()
        walls: dict[str, list[float]] = {}
        ways = {
            "file": lambda: _bare(where, {}),
            "file, unbuffered": lambda: _bare(where, UNBUFFERED),
            "detached": lambda: _detached(where),
            "followed": lambda: _followed(where),
        }
        found = in_turns(min(plan.rounds, ROUNDS), {name: _cpu(way, walls, name) for name, way in ways.items()})
    wall = {name: Sample(tuple(values[1:])) for name, values in walls.items()}
    same, usual = "file, unbuffered", "file"
    return [
        _figure("CPU of a script that prints, detached", found, "detached", same, goal=GOAL),
        _figure("CPU of a script that prints, followed", found, "followed", same, goal=GOAL),
        _figure("  detached, against `> file` without PYTHONUNBUFFERED", found, "detached", usual, goal=GOAL),
        _figure("wall time of a script that prints, detached", wall, "detached", same),
        _figure("wall time of a script that prints, followed", wall, "followed", same),
    ]


def _cpu(way: Callable[[], tuple[float, float]], walls: dict[str, list[float]], name: str) -> Callable[[], float]:
    def measured() -> float:
        cpu, wall = way()
        walls.setdefault(name, []).append(wall)
        return cpu

    return measured


def _bare(where: Place, more: dict[str, str]) -> tuple[float, float]:
    output = os.path.join(where.work, "output")
    if os.path.exists(output):
        os.unlink(output)  # a new file, as a run's log is
    shell = f'exec "{sys.executable}" "{SCRIPT}" "{_told(where)}" {LINES} > "{output}"'
    seconds(("sh", "-c", shell), where.environment | more)
    return _read(where)


def _detached(where: Place) -> tuple[float, float]:
    run_ids = where.submit("--python", sys.executable, SCRIPT, "--", _told(where), str(LINES))
    where.wait_for_ends(run_ids)
    os.unlink(where.directory(run_ids[0]).log)
    return _read(where)


def _followed(where: Place) -> tuple[float, float]:
    where.seconds("--no-ui", "run", "--python", sys.executable, SCRIPT, "--", _told(where), str(LINES))
    return _read(where)


def _told(where: Place) -> str:
    return os.path.join(where.work, "told")


def _read(where: Place) -> tuple[float, float]:
    """CPU and wall seconds."""
    with open(_told(where), encoding="ascii") as file:
        cpu, wall = file.read().split()
    os.unlink(_told(where))
    return float(cpu), float(wall)


def _figure(name: str, found: dict[str, Sample], way: str, against: str, *, goal: float | None = None) -> Figure:
    return figure_of(
        name,
        found[way].scaled(1 / found[against].median),
        "times",
        goal=goal,
        remark=f"{found[way].median:.2f} s against {found[against].median:.2f}",
    )
