"""Run one job and wait for it: what `backprop-tui --no-ui run -- true` takes longer than `true`, in Python starts."""

from __future__ import annotations

import os

from benchmarks.clock import MILLISECONDS, seconds
from benchmarks.figures import Figure, figure_of
from benchmarks.place import BARE_PROCESS, BARE_PYTHON, Place, place, wait_until
from benchmarks.plan import Plan
from benchmarks.samples import Sample, in_turns

RUN = ("--no-ui", "run", "--", *BARE_PROCESS)
GOAL_STARTS, LENIENT_STARTS = 4.0, 12.0
COLD_ROUNDS = 12  # each waits for the supervisor to end by itself


def measure(plan: Plan) -> list[Figure]:
    """With a supervisor that lives, and where none does."""
    with place() as warm:
        warm.keep_supervisor()
        figures = [_figure("run and wait, supervisor lives", warm, plan.rounds)]
        _make_repository(warm)
        figures.append(_figure("  the same, in a git repository", warm, plan.rounds))
    rounds = min(plan.rounds, COLD_ROUNDS)
    with place() as cold:
        figures.append(_figure("run and wait, no supervisor, probe none", cold, rounds, wait_before=True))
    with place(probe="auto") as cold:
        figures.append(_figure("run and wait, no supervisor, probe auto", cold, rounds, wait_before=True))
    return figures


def _figure(name: str, where: Place, rounds: int, *, wait_before: bool = False) -> Figure:
    def run() -> float:
        if wait_before:
            where.wait_until_idle()
        return where.seconds(*RUN)

    found = in_turns(
        rounds,
        {
            "process": lambda: seconds(BARE_PROCESS, where.environment),
            "python": lambda: seconds(BARE_PYTHON, where.environment),
            "run": run,
        },
    )
    return _over_bare(name, found)


def _over_bare(name: str, found: dict[str, Sample]) -> Figure:
    process, python, run = found["process"].median, found["python"].median, found["run"]
    return figure_of(
        name,
        run.scaled(1 / python, less=process),
        "starts",
        goal=GOAL_STARTS,
        lenient=LENIENT_STARTS,
        remark=f"{run.median * MILLISECONDS:.0f} ms; Python {python * MILLISECONDS:.1f}, "
        f"process {process * MILLISECONDS:.1f}",
    )


def _make_repository(where: Place) -> None:
    """A small one; git is asked about it while the run is made ready."""
    for arguments in (
        ("init", "-q"),
        ("-c", "user.name=B", "-c", "user.email=b@b", "commit", "-q", "--allow-empty", "-m", "begin"),
    ):
        seconds(("git", "-C", where.work, *arguments), where.environment)
    wait_until(lambda: os.path.isdir(os.path.join(where.work, ".git")), "the repository")
