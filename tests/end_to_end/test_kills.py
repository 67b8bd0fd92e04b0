"""kill -9 of any process at ten moments, with three runs active and three queued: nothing is lost or done twice."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from backprop_tui.domain.run import Ended
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.processes.identity import Identity
from tests.support import processes
from tests.support.front_ends import FrontEnd
from tests.support.sandbox import Sandbox, Submitted, script
from tests.support.waiting import PATIENCE_SECONDS

PARALLEL = 3
CODES = (0, 3, 0, 4, 0, 5)
STEPS = (8, 8, 8, 8, 8, 16)  # the last one outlives the others, so that there is a process to kill

MOMENTS: tuple[tuple[str, Callable[[Submitted], object]], ...] = (
    ("queued", lambda run: os.path.exists(run.directory.path)),
    ("admitted", lambda run: run.status() is not Status.QUEUED),
    ("named in script.lock", lambda run: run.script()),
    ("executed", lambda run: "begin" in run.reports()),
    ("recorded as running", lambda run: run.status() not in (Status.QUEUED, Status.STARTING)),
    ("its first figures are read", lambda run: run.metrics()),
    ("half of its steps are read", lambda run: len(run.metrics()) >= 4),
    ("its checkpoint is announced", lambda run: os.path.exists(run.directory.log) and b"checkpoint_saved" in run.log()),
    ("its script ends", lambda run: any(line.startswith("end") for line in run.reports())),
    ("its end is recorded", lambda run: run.status() in ENDED),
)
# Two kills in one life of the queue: the first in the first three runs, the second in the others.
PAIRS = [pytest.param(first, first + 5, id=f"{MOMENTS[first][0]}, {MOMENTS[first + 5][0]}") for first in range(5)]

Victim = Callable[[Sandbox, Submitted, list[Submitted]], Identity | None]


def supervisor(sandbox: Sandbox, _subject: Submitted, _runs: list[Submitted]) -> Identity | None:
    """Waits until it has a fork server: if it is killed earlier, only the next command starts another one."""
    return sandbox.supervisor() if sandbox.fork_server() else None


def fork_server(sandbox: Sandbox, _subject: Submitted, _runs: list[Submitted]) -> Identity | None:
    return sandbox.fork_server()


def guardian(_sandbox: Sandbox, subject: Submitted, runs: list[Submitted]) -> Identity | None:
    """The guardian of the subject; if it has none, that of another run."""
    return next(filter(None, (run.guardian() for run in (subject, *runs))), None)


def kill_at(sandbox: Sandbox, moment: int, victim: Victim, subject: Submitted, runs: list[Submitted]) -> None:
    name, has_come = MOMENTS[moment]
    sandbox.wait_until(lambda: has_come(subject), name)
    # A process that ends by itself at this moment is not killed, the next one is.
    sandbox.wait_until(
        lambda: (identity := victim(sandbox, subject, runs)) is not None and processes.kill(identity),
        "a process killed",
    )


def assert_all_is_well(sandbox: Sandbox, runs: list[Submitted], *, unseen: tuple[Submitted, ...] = ()) -> None:
    """`unseen`: runs of which one may have lost its guardian before the exit code was recorded."""
    assert sum(run.wait_for_end(seconds=30).status is Status.LOST for run in runs) <= min(1, len(unseen))
    for run, code, steps in zip(runs, CODES, STEPS, strict=True):
        end = run.wait_for_end(seconds=30).state
        assert isinstance(end, Ended)
        assert run.reports() == ["begin", f"end {code}"]
        if run in unseen and end.status is Status.LOST:
            assert end.exit_code is None
            continue
        expected = Status.FAILED if code else Status.COMPLETED
        assert (end.status, end.exit_code, end.signal) == (expected, code, None), sandbox.describe_store()
        assert len(run.run().attempts) == 1
        assert [line["step"] for line in run.metrics()] == list(range(1, steps + 1))
    assert_the_queue_continued(runs)
    sandbox.wait_until_all_is_indexed()
    assert set(sandbox.index()) == {run.id for run in runs}
    assert not any(os.path.exists(run.directory.file("environment")) for run in runs)
    sandbox.wait_until_nothing_runs()


def assert_the_queue_continued(runs: list[Submitted]) -> None:
    """Each free slot was used again, without a command."""
    records = [run.run() for run in runs]
    starts = sorted(record.attempt.started_at for record in records)
    ends = sorted(record.attempt.ended_at or 0.0 for record in records)
    for ended_at, started_at in zip(ends, starts[PARALLEL:], strict=False):
        assert started_at - ended_at < PATIENCE_SECONDS


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("victim", [supervisor, fork_server, guardian])
def test_killing_supervisor_fork_server_or_guardian_loses_nothing(
    sandbox: Sandbox, victim: Victim, first: int, second: int
) -> None:
    runs = [sandbox.submit(*script("worker.py", steps, 0.06, code)) for code, steps in zip(CODES, STEPS, strict=True)]
    kill_at(sandbox, first, victim, runs[0], runs)
    kill_at(sandbox, second, victim, runs[3], runs)
    # At the last moments the one that is killed may be any whose script has just ended: the next, if the first died.
    assert_all_is_well(sandbox, runs, unseen=tuple(runs) if victim is guardian and second >= 8 else ())


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_killing_front_ends_loses_nothing(sandbox: Sandbox, first: int, second: int) -> None:
    front_ends = []
    for code, steps in zip(CODES, STEPS, strict=True):
        front_ends.append(FrontEnd(sandbox, *script("worker.py", steps, 0.06, code)))
        front_ends[-1].wait_until_queued()
    runs = [front_end.run for front_end in front_ends]
    for moment, place in ((first, 0), (second, 3)):
        name, has_come = MOMENTS[moment]
        sandbox.wait_until(lambda seen=has_come, run=runs[place]: seen(run), name)  # type: ignore[misc]
        front_ends[place].process.kill()
    assert_all_is_well(sandbox, runs)
    codes = [front_end.end()[0] for front_end in front_ends]
    assert [codes[place] for place in (1, 2, 4, 5)] == [CODES[place] for place in (1, 2, 4, 5)]
