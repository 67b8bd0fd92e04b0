"""What supervision costs a script: the CPU time of one that prints two million lines, compared with `> file`.

A supervised script has PYTHONUNBUFFERED=1, so that its last lines are never lost; `python script > file` does not. So
it is compared with both environments: the same one (the cost of supervision), and the usual one (the cost of that
variable to a script that prints a lot).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from benchmarks.measurement import Plan, Result, Sample, interleaved, sample_result
from benchmarks.sandbox import SCRIPTS, Sandbox, open_sandbox
from benchmarks.timing import seconds

LINES = 2_000_000
GOAL = 1.02
ROUNDS = 7
SCRIPT = os.path.join(SCRIPTS, "prints_lines.py")
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}


def measure(plan: Plan) -> list[Result]:
    """Measures a detached run, and one that is followed by the command that started it."""
    with open_sandbox() as sandbox:
        sandbox.keep_supervisor()
        walls: dict[str, list[float]] = {}
        ways = {
            "file": lambda: _bare(sandbox, {}),
            "file, unbuffered": lambda: _bare(sandbox, UNBUFFERED),
            "detached": lambda: _detached(sandbox),
            "followed": lambda: _followed(sandbox),
        }
        cpu = interleaved(min(plan.rounds, ROUNDS), {name: _cpu(way, walls, name) for name, way in ways.items()})
    wall = {name: Sample(tuple(values[1:])) for name, values in walls.items()}
    same, usual = "file, unbuffered", "file"
    return [
        _result("CPU of a script that prints, detached", cpu, "detached", same, goal=GOAL),
        _result("CPU of a script that prints, followed", cpu, "followed", same, goal=GOAL),
        _result("  detached, compared with `> file` without PYTHONUNBUFFERED", cpu, "detached", usual, goal=GOAL),
        _result("wall time of a script that prints, detached", wall, "detached", same),
        _result("wall time of a script that prints, followed", wall, "followed", same),
    ]


def _cpu(way: Callable[[], tuple[float, float]], walls: dict[str, list[float]], name: str) -> Callable[[], float]:
    def measure_cpu() -> float:
        cpu, wall = way()
        walls.setdefault(name, []).append(wall)
        return cpu

    return measure_cpu


def _bare(sandbox: Sandbox, variables: dict[str, str]) -> tuple[float, float]:
    output = os.path.join(sandbox.work, "output")
    if os.path.exists(output):
        os.unlink(output)  # a run's log is a new file too
    shell = f'exec "{sys.executable}" "{SCRIPT}" "{_times_path(sandbox)}" {LINES} > "{output}"'
    seconds(("sh", "-c", shell), sandbox.environment | variables)
    return _read_times(sandbox)


def _detached(sandbox: Sandbox) -> tuple[float, float]:
    run_ids = sandbox.submit("--python", sys.executable, SCRIPT, "--", _times_path(sandbox), str(LINES))
    sandbox.wait_for_ends(run_ids)
    os.unlink(sandbox.directory(run_ids[0]).log)
    return _read_times(sandbox)


def _followed(sandbox: Sandbox) -> tuple[float, float]:
    sandbox.seconds("--no-ui", "run", "--python", sys.executable, SCRIPT, "--", _times_path(sandbox), str(LINES))
    return _read_times(sandbox)


def _times_path(sandbox: Sandbox) -> str:
    return os.path.join(sandbox.work, "times")


def _read_times(sandbox: Sandbox) -> tuple[float, float]:
    """Returns the CPU and wall seconds that the script wrote, and removes the file."""
    with open(_times_path(sandbox), encoding="ascii") as file:
        cpu, wall = file.read().split()
    os.unlink(_times_path(sandbox))
    return float(cpu), float(wall)


def _result(name: str, samples: dict[str, Sample], way: str, reference: str, *, goal: float | None = None) -> Result:
    return sample_result(
        name,
        samples[way].scaled(1 / samples[reference].median),
        "times",
        goal=goal,
        remark=f"{samples[way].median:.2f} s, {reference} {samples[reference].median:.2f}",
    )
