"""`list`, `status RUN` and submission with a growing number of ended runs: the time should stay the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from itertools import count

from benchmarks.ended_runs import add_ended_runs
from benchmarks.measurement import Plan, Result, Sample, interleaved, sample_result
from benchmarks.sandbox import BARE_PYTHON, Sandbox, open_sandbox
from benchmarks.timing import MILLISECONDS, seconds

LENGTHS = (0, 1000, 10_000, 100_000)
GOAL_STARTS, GOAL_FLATNESS = 2.5, 1.1
SUBMIT, LIST, STATUS = "run -d", "list", "status RUN"


def measure(plan: Plan) -> list[Result]:
    """Measures all commands on all histories in turn, while a supervisor and one run are active in each sandbox."""
    lengths = [length for length in LENGTHS if length <= plan.longest_history]
    with ExitStack() as stack:
        sandboxes = {length: stack.enter_context(open_sandbox()) for length in lengths}
        environment = sandboxes[0].environment
        measurements = {"python": lambda: seconds(BARE_PYTHON, environment)}
        for length, sandbox in sandboxes.items():
            for command, run_command in _commands(sandbox, length).items():
                measurements[f"{command} after {length}"] = run_command
        samples = interleaved(plan.rounds, measurements)
    results: list[Result] = []
    for command in (SUBMIT, LIST, STATUS):
        by_length = {length: samples[f"{command} after {length}"] for length in lengths}
        results += _results(command, by_length, samples["python"])
    return results


def _commands(sandbox: Sandbox, length: int) -> dict[str, Callable[[], float]]:
    ids = add_ended_runs(sandbox.home, length)
    sandbox.keep_supervisor()
    # The oldest run left every file that a quick command may read whole a long time ago.
    oldest = ids[0] if ids else _ended_run(sandbox)
    return {
        SUBMIT: _submission(sandbox),
        LIST: lambda: sandbox.seconds("list"),
        STATUS: lambda: sandbox.seconds("status", oldest),
    }


def _ended_run(sandbox: Sandbox) -> str:
    run_ids = sandbox.submit("--", "true")
    sandbox.wait_for_ends(run_ids)
    return run_ids[0]


def _submission(sandbox: Sandbox) -> Callable[[], float]:
    numbers = count()

    def submit() -> float:
        run_id = f"s{next(numbers)}"
        elapsed = sandbox.seconds("run", "-d", "--run-id", run_id, "--", "true")
        sandbox.wait_for_ends([run_id])  # so that it does not disturb the next measurement
        return elapsed

    return submit


def _results(command: str, by_length: dict[int, Sample], python: Sample) -> list[Result]:
    longest, shortest = max(by_length), min(by_length)
    medians = ", ".join(f"{sample.median * MILLISECONDS:.0f}" for sample in by_length.values())
    return [
        sample_result(
            f"{command}, {longest:,} ended runs",
            by_length[longest].scaled(1 / python.median),
            "starts",
            goal=GOAL_STARTS,
            remark=f"Python {python.median * MILLISECONDS:.1f} ms",
        ),
        sample_result(
            f"{command}, {longest:,} ended runs compared with {shortest:,}",
            by_length[longest].scaled(1 / by_length[shortest].median),
            "times",
            goal=GOAL_FLATNESS,
            remark=f"{medians} ms with {', '.join(f'{length:,}' for length in by_length)}",
        ),
    ]
