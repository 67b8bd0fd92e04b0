"""Runs one job and waits for it: what `backprop-tui --no-ui run -- true` takes longer than `true`, in Python starts."""

from __future__ import annotations

from benchmarks.measurement import Plan, Result, interleaved, sample_result
from benchmarks.sandbox import BARE_PROCESS, BARE_PYTHON, Sandbox, open_sandbox
from benchmarks.timing import MILLISECONDS, seconds

GOAL_STARTS, ACCEPTABLE_STARTS = 4.0, 12.0
COLD_ROUNDS = 12  # each of them waits until the supervisor exits


def measure(plan: Plan) -> list[Result]:
    """Measures with a supervisor that is running, and without one."""
    with open_sandbox() as warm:
        warm.keep_supervisor()
        results = [_result("run and wait, supervisor lives", warm, plan.rounds)]
        _make_repository(warm)
        results.append(_result("  the same, in a git repository", warm, plan.rounds))
    rounds = min(plan.rounds, COLD_ROUNDS)
    for probe in ("none", "auto"):
        with open_sandbox(probe=probe) as cold:
            results.append(_result(f"run and wait, no supervisor, probe {probe}", cold, rounds, idle_first=True))
    return results


def _result(name: str, sandbox: Sandbox, rounds: int, *, idle_first: bool = False) -> Result:
    def run_and_wait() -> float:
        if idle_first:
            sandbox.wait_until_idle()
        return sandbox.seconds("--no-ui", "run", "--", *BARE_PROCESS)

    samples = interleaved(
        rounds,
        {
            "process": lambda: seconds(BARE_PROCESS, sandbox.environment),
            "python": lambda: seconds(BARE_PYTHON, sandbox.environment),
            "run": run_and_wait,
        },
    )
    process, python, run = samples["process"].median, samples["python"].median, samples["run"]
    return sample_result(
        name,
        run.scaled(1 / python, offset=process),
        "starts",
        goal=GOAL_STARTS,
        acceptable=ACCEPTABLE_STARTS,
        remark=f"{run.median * MILLISECONDS:.0f} ms; Python {python * MILLISECONDS:.1f}, "
        f"process {process * MILLISECONDS:.1f}",
    )


def _make_repository(sandbox: Sandbox) -> None:
    """Makes the working directory a git repository; `run` then records its commit."""
    for arguments in (
        ("init", "-q"),
        ("-c", "user.name=B", "-c", "user.email=b@b", "commit", "-q", "--allow-empty", "-m", "begin"),
    ):
        seconds(("git", "-C", sandbox.work, *arguments), sandbox.environment)
