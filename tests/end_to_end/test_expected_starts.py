"""A guardian has loaded the run that will probably start next: whatever happens meanwhile, it is executed once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.domain.requests import StopRequest
from backprop_tui.domain.status import Status
from backprop_tui.processes.identity import Identity, identify
from backprop_tui.processes.tree import children
from tests.end_to_end.crashing import Crashing
from tests.support import processes
from tests.support.crashes import FORKER, GUARDIAN, SUPERVISOR, Crash, after, before
from tests.support.sandbox import Sandbox, Submitted, script

GO = "launchers.launcher:_ExpectedStart.go"
LAUNCH = "launchers.launcher:LocalLauncher.launch"
WRITE = "store.run_directory:RunDirectory.write"
COMPLETED = Status.COMPLETED, 0, None
DESCRIPTORS = 6  # of a child with a run: standard streams, orders, report and go-ahead


def loaded(sandbox: Sandbox) -> list[Identity]:
    """The guardian that has loaded a run, and its child; empty if there is none."""
    server = sandbox.fork_server()
    for guardian in [] if server is None else children(server.pid):
        for child in children(guardian) if processes.comm(guardian) == "backprop-spare" else ():
            try:
                has_run = len(os.listdir(f"/proc/{child}/fd")) == DESCRIPTORS
            except OSError:
                continue
            both = identify(guardian), identify(child)
            if has_run and None not in both:
                return [identity for identity in both if identity is not None]
    return []


class Pair:
    """A run that works until it may end, and one that waits for its slot and is loaded."""

    def __init__(self, sandbox: Sandbox) -> None:
        sandbox.allow(1)
        self.sandbox = sandbox
        self.first = sandbox.submit(*script("worker.py", 1, 0.01, 0, "go"))
        self.first.wait_until_it_reports("begin")
        self.second = sandbox.submit(*script("worker.py", 1, 0.01, 0))
        self.guardian, self.child = sandbox.wait_until(lambda: loaded(sandbox), "the second run loaded")

    def go_on(self) -> None:
        Path(self.first.run().spec.cwd, "go").touch()


@pytest.fixture
def pair(sandbox: Sandbox) -> Pair:
    return Pair(sandbox)


def assert_executed_once(run: Submitted) -> None:
    assert run.outcome() == COMPLETED
    assert run.reports() == ["begin", "end 0"]
    assert len(run.run().attempts) == 1


def test_the_child_that_has_loaded_it_becomes_its_script(pair: Pair) -> None:
    assert not pair.second.events().count("admitted")
    assert not os.path.exists(pair.second.directory.log)
    assert not os.path.exists(pair.second.directory.script_lock)
    pair.go_on()
    assert_executed_once(pair.second)
    assert pair.second.script() == pair.child
    assert pair.second.events()[:3] == ["queued", "admitted", "started"]


def test_the_variables_of_the_start_come_with_the_go_ahead(sandbox: Sandbox) -> None:
    pair = Pair(sandbox)
    command = ("bash", "-c", "echo $BACKPROP_DEADLINE $BACKPROP_ATTEMPT")
    pair.sandbox.queue(*command, max_run_seconds=60.0)
    third = pair.sandbox.submit(*command, max_run_seconds=60.0)
    pair.go_on()
    assert third.outcome() == COMPLETED
    attempt = third.run().attempt
    deadline, number = third.log().split()
    assert float(deadline) == pytest.approx(attempt.started_at + 60, abs=0.01)  # the record has milliseconds
    assert int(number) == 1


@pytest.mark.parametrize("killed", ["guardian", "child", "both"])
def test_it_starts_although_what_has_loaded_it_was_killed(pair: Pair, killed: str) -> None:
    victims = {"guardian": [pair.guardian], "child": [pair.child], "both": [pair.guardian, pair.child]}[killed]
    for victim in victims:
        assert processes.kill(victim)
    pair.go_on()
    assert_executed_once(pair.second)


def stopped(run: Submitted) -> None:
    run.ask(StopRequest(by="test", reason="stopped by you"))


def rewritten(run: Submitted) -> None:
    """As a front end does under its lock."""
    lock = run.directory.try_lock()
    assert lock is not None
    with lock:
        spec = replace(run.run().spec, command=script("worker.py", 1, 0, 3))
        run.directory.write(replace(run.run(), spec=spec), durable=True)


def removed(run: Submitted) -> None:
    shutil.rmtree(run.directory.path)


@pytest.mark.parametrize(
    ("change", "outcome", "reports"),
    [
        (stopped, (Status.STOPPED, None, None), []),
        (rewritten, (Status.FAILED, 3, None), ["begin", "end 3"]),
    ],
)
def test_a_change_of_the_run_counts_although_it_was_loaded(
    pair: Pair, change: Callable[[Submitted], None], outcome: tuple[Status, int | None, str | None], reports: list[str]
) -> None:
    change(pair.second)
    pair.go_on()
    assert pair.second.outcome() == outcome
    assert pair.second.reports() == reports


def test_another_run_may_go_first(pair: Pair) -> None:
    urgent = pair.sandbox.queue(*script("worker.py", 1, 0.01, 0))
    lock = urgent.directory.try_lock()
    assert lock is not None
    with lock:
        urgent.directory.write(replace(urgent.run(), position=0.0), durable=True)
    removed(pair.second)
    pair.sandbox.call()
    pair.go_on()
    assert_executed_once(urgent)


CRASHES: list[tuple[str, tuple[Crash, ...]]] = [
    ("supervisor: before the start is recorded", (before(WRITE, SUPERVISOR, status="starting", times=2),)),
    ("supervisor: before the go-ahead", (before(GO, SUPERVISOR),)),
    ("supervisor: after the go-ahead", (after(GO, SUPERVISOR),)),
    ("supervisor: before the guardian gets the run", (before(LAUNCH, SUPERVISOR, times=2),)),
    ("supervisor: when the guardian has the run", (after(LAUNCH, SUPERVISOR, times=2),)),
    ("fork server: before the guardian gets the run", (before("runner.fork_server:_Spare.assign", FORKER, times=3),)),
    ("guardian: when it gets the run", (before("runner.main:run_guardian", "backprop-spare"),)),
    ("guardian: before it knows its script", (before("runner.start:watch_start", GUARDIAN),)),
]


@pytest.mark.parametrize("crashes", [pytest.param(crashes, id=name) for name, crashes in CRASHES])
def test_it_is_executed_once_although_a_process_dies_meanwhile(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, crashes: tuple[Crash, ...]
) -> None:
    sandbox.allow(1)
    crashing = Crashing(sandbox, monkeypatch, *crashes)
    first = sandbox.submit(*script("worker.py", 1, 0.01, 0, "go"))
    first.wait_until_it_reports("begin")
    second = sandbox.submit(*script("worker.py", 1, 0.01, 0, "go"))
    sandbox.wait_until(lambda: loaded(sandbox), "the second run loaded")
    Path(first.run().spec.cwd, "go").touch()
    crashing.wait_until_all_happened()
    second.wait(second.is_watched, "watched by a guardian")
    Path(second.run().spec.cwd, "go").touch()
    assert_executed_once(second)
    assert_executed_once(first)


def test_it_stays_in_the_queue_while_its_start_cannot_be_recorded(pair: Pair) -> None:
    os.mkdir(f"{pair.second.directory.path}/.run.json.tmp")
    Path(f"{pair.second.directory.path}/.run.json.tmp/file").touch()
    pair.go_on()
    assert_executed_once(pair.first)
    assert_executed_once(pair.second)
