"""Runs are steered by keys: more time, resuming, the order of the queue, and taking back what was done."""

from __future__ import annotations

import os

from backprop_tui.client.queueing import waiting_runs
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.status import Status
from tests.end_to_end.dashboard.conftest import Open
from tests.end_to_end.dashboard.helpers import training
from tests.end_to_end.test_survival import killed_supervisor
from tests.support.processes import kill
from tests.support.sandbox import Sandbox, python

_UNTIL_STOPPED = "import time\nwhile True:\n    print('working', flush=True)\n    time.sleep(0.1)\n"


def queue_order(sandbox: Sandbox) -> list[str]:
    return [run.id for run in waiting_runs(ClientSession(home=sandbox.home, config_path=sandbox.config_path))]


def test_a_run_gets_more_time_one_resumes_and_one_is_preferred(sandbox: Sandbox, open_dashboard: Open) -> None:
    sandbox.allow(1)
    boxed = sandbox.submit(*python(_UNTIL_STOPPED), max_run_seconds=0.5)
    boxed.wait_for(Status.TIMEBOXED)
    active = training(sandbox)
    waiting = [sandbox.submit(*python(_UNTIL_STOPPED)) for _ in range(2)]
    screen = open_dashboard()
    screen.wait_for("running")

    screen.type("t")
    screen.wait_for("Extend ")
    screen.type("2h")
    screen.wait_for("limit 2h10m")
    screen.type("\r")
    active.wait(lambda: active.run().spec.max_run_seconds == 600 + 7200, "two more hours")

    screen.type("G")  # the run that has ended
    screen.wait_for(boxed.id)
    screen.type("r")
    boxed.wait_for(Status.QUEUED)

    screen.wait_for("#3")
    order = queue_order(sandbox)
    assert order == [waiting[0].id, waiting[1].id, boxed.id]
    screen.type("K")
    sandbox.wait_until(lambda: queue_order(sandbox)[1] == boxed.id, "the resumed run at the second place")
    screen.type("U")
    sandbox.wait_until(lambda: queue_order(sandbox) == order, "the order before")


def test_a_dialog_edits_a_run_whose_supervisor_and_guardian_were_killed(sandbox: Sandbox, open_dashboard: Open) -> None:
    active = training(sandbox)
    screen = open_dashboard()
    screen.wait_for("running")
    screen.type("e")
    screen.wait_for("Edit")
    guardian = active.guardian()
    killed_supervisor(sandbox)
    assert guardian is not None
    assert kill(guardian)
    screen.type("-v2\r")
    active.wait(lambda: active.run().name == f"{active.id}-v2", "the new name")
    screen.wait_for(f"renamed to {active.id}-v2")
    assert active.wait_for(Status.RUNNING).attempt.number == 1


def test_a_removed_run_comes_back_until_the_dashboard_is_left(sandbox: Sandbox, open_dashboard: Open) -> None:
    run = sandbox.submit(*python("print('the only line')"))
    run.wait_for(Status.COMPLETED)
    sandbox.wait_until_all_is_indexed()
    screen = open_dashboard()
    screen.wait_for("the only line")
    screen.type("dy")
    screen.wait_for("removed. U brings it back")
    sandbox.wait_until(lambda: not os.path.exists(run.directory.path), "no such run")
    screen.type("U")
    sandbox.wait_until(lambda: os.path.exists(run.directory.path), "the run again")
    screen.wait_for("the only line")
    sandbox.wait_until_all_is_indexed()
    assert run.id in sandbox.index()
    screen.type("dy")
    sandbox.wait_until(lambda: not os.path.exists(run.directory.path), "no such run")
    screen.type("q")
    assert screen.wait_for_exit() == 0
    assert os.listdir(sandbox.home.removed) == []
