"""kill -9 of each of our processes: nothing is lost or done twice, and no script is left alone."""

from __future__ import annotations

from pathlib import Path

from backprop_tui.domain.status import Status
from tests.support import processes
from tests.support.commands import Commands
from tests.support.front_ends import FrontEnd
from tests.support.sandbox import Sandbox, Submitted, script


def running(sandbox: Sandbox, code: int) -> Submitted:
    run = sandbox.submit(*script("waits_for_go.py", code))
    run.wait_until_it_reports("begin")
    run.wait_for(Status.RUNNING)
    return run


def go(run: Submitted) -> None:
    Path(run.run().spec.cwd, "go").touch()


def assert_done_once(run: Submitted, code: int) -> None:
    assert run.outcome() == (Status.FAILED if code else Status.COMPLETED, code, None)
    assert run.reports() == ["begin", f"end {code}"]
    assert len(run.run().attempts) == 1


def test_a_killed_guardian_is_replaced_and_the_script_goes_on(sandbox: Sandbox) -> None:
    run = running(sandbox, 5)
    assert processes.kill(run.wait(run.guardian, "its guardian"))
    run.wait(lambda: "adopted" in run.events(), "adopted")
    go(run)
    assert_done_once(run, 5)


def test_a_script_that_is_killed_from_outside_has_that_cause(sandbox: Sandbox) -> None:
    run = running(sandbox, 0)
    script_process = run.script()
    assert script_process is not None
    assert processes.kill(script_process)
    assert run.outcome() == (Status.FAILED, None, "SIGKILL")
    cause = run.end().cause
    assert cause is not None
    assert cause.kind == "killed_by_signal"


def test_a_killed_supervisor_loses_nothing(sandbox: Sandbox, commands: Commands) -> None:
    run = running(sandbox, 3)
    assert processes.kill(sandbox.wait_until(sandbox.supervisor, "the supervisor"))
    go(run)
    assert_done_once(run, 3)
    assert commands("list").code == 0
    sandbox.wait_until_all_is_indexed()
    assert sandbox.index()[run.id]["status"] == "failed"


def test_a_supervisor_killed_before_the_start_loses_nothing(sandbox: Sandbox, commands: Commands) -> None:
    run = sandbox.submit(*script("worker.py", 1, 0, 0))
    assert processes.kill(sandbox.wait_until(sandbox.supervisor, "the supervisor"))
    assert commands("list").code == 0
    assert_done_once(run, 0)


def test_a_killed_front_end_leaves_its_run_alone(sandbox: Sandbox) -> None:
    front_end = FrontEnd(sandbox, *script("worker.py", 20, 0.02, 4))
    run = front_end.wait_until_queued()
    front_end.process.kill()
    front_end.process.wait()  # while it dies it may still hold the lease
    sandbox.call()  # as the next command does: it may have been killed before it could start a supervisor
    assert_done_once(run, 4)
    front_end.end()
