"""A guardian dies while it handles a request: the next one brings the processes in line with the record."""

from __future__ import annotations

import pytest

from backprop_tui.domain.requests import ContinueRequest, PauseRequest, StopRequest
from backprop_tui.domain.run import Ended, StopPlan
from backprop_tui.domain.status import Status
from backprop_tui.processes.identity import state_of
from tests.end_to_end.crashing import Crashing
from tests.support.crashes import GUARDIAN, Crash, after, before
from tests.support.sandbox import Sandbox, Submitted, script

PAUSE = PauseRequest(by="person", reason="paused by you")
CONTINUE = ContinueRequest(by="person", reason="continued by you")
STOP = StopRequest(by="person", reason="stopped by you")
KILL = StopRequest(by="person", reason="stopped by you", kill=True)
THAW = "runner.tree:Tree.thaw"


def case(name: str, *crashes: Crash) -> object:
    return pytest.param(crashes, id=name)


def begun(sandbox: Sandbox, *command: str, stop: StopPlan | None = None) -> Submitted:
    run = sandbox.submit(*command, stop=stop or StopPlan())
    run.wait_until_it_reports("begin")
    run.wait_for(Status.RUNNING)
    return run


def state(run: Submitted) -> bytes | None:
    named = run.script()
    assert named is not None
    return state_of(named.pid)


def end_of(run: Submitted) -> tuple[Status, int | None, str | None]:
    state = run.wait_for_end().state
    assert isinstance(state, Ended)
    return state.status, state.exit_code, state.signal


@pytest.mark.parametrize(
    "crashes",
    [
        case("before the first SIGSTOP", before("runner.tree:Tree.freeze", GUARDIAN)),
        case("after the last SIGSTOP", after("runner.tree:Tree.freeze", GUARDIAN)),
    ],
)
def test_a_recorded_pause_is_carried_out(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, crashes: tuple[Crash, ...]
) -> None:
    crashing = Crashing(sandbox, monkeypatch, *crashes)
    run = begun(sandbox, *script("exits_on_signal.py"))
    run.ask(PAUSE)
    crashing.wait_until_all_happened()
    run.wait(lambda: "adopted" in run.events(), "adopted")
    run.wait(lambda: state(run) == b"T", "stopped")
    assert run.status() is Status.PAUSED
    run.ask(CONTINUE)
    run.wait(lambda: state(run) != b"T", "going on")
    run.ask(STOP)
    assert end_of(run) == (Status.STOPPED, 1, None)
    assert run.reports() == ["begin", "SIGINT"]


def test_a_recorded_continue_is_carried_out(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing = Crashing(sandbox, monkeypatch, before(THAW, GUARDIAN))
    run = begun(sandbox, *script("exits_on_signal.py"))
    run.ask(PAUSE)
    run.wait(lambda: state(run) == b"T", "stopped")
    run.ask(CONTINUE)
    crashing.wait_until_all_happened()
    run.wait(lambda: state(run) != b"T", "going on")
    run.ask(STOP)
    assert end_of(run) == (Status.STOPPED, 1, None)


def test_a_paused_run_gets_its_stop_signal_although_the_guardian_died_before_sigcont(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = Crashing(sandbox, monkeypatch, before(THAW, GUARDIAN))
    run = begun(sandbox, *script("exits_on_signal.py"))
    run.ask(PAUSE)
    run.wait(lambda: state(run) == b"T", "stopped")
    run.ask(STOP)
    crashing.wait_until_all_happened()
    assert end_of(run) == (Status.STOPPED, 1, None)
    assert run.reports() == ["begin", "SIGINT"]


def test_a_stop_signal_that_was_recorded_but_not_sent_is_followed_by_the_next_stage(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = Crashing(sandbox, monkeypatch, after("runner.stop_sequence:StopSequence._record_stage", GUARDIAN))
    run = begun(sandbox, *script("exits_on_signal.py"), stop=StopPlan(grace_seconds=0.5))
    run.ask(STOP)
    crashing.wait_until_all_happened()
    assert end_of(run) == (Status.STOPPED, 1, None)
    assert run.reports() == ["begin", "SIGTERM"]


def test_a_stop_signal_is_not_sent_twice(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing = Crashing(sandbox, monkeypatch, after("runner.tree:Tree.signal_group", GUARDIAN))
    run = begun(sandbox, *script("exits_on_signal.py", 0.5))
    run.ask(STOP)
    crashing.wait_until_all_happened()
    assert end_of(run) == (Status.STOPPED, 1, None)
    assert run.reports() == ["begin", "SIGINT"]


@pytest.mark.parametrize(
    "crashes",
    [
        case("before the first SIGKILL", before("runner.tree:Tree.kill", GUARDIAN)),
        case("after the last SIGKILL", after("runner.tree:Tree.kill", GUARDIAN)),
    ],
)
def test_a_recorded_kill_is_carried_out(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, crashes: tuple[Crash, ...]
) -> None:
    crashing = Crashing(sandbox, monkeypatch, *crashes)
    run = begun(sandbox, *script("ignores_signals.py"))
    run.wait(lambda: len(run.reports()) == 2, "both of its processes are there")
    run.ask(KILL)
    crashing.wait_until_all_happened()
    assert end_of(run)[0] is Status.STOPPED
    sandbox.wait_until_nothing_runs()


def test_the_timebox_continues_with_the_next_guardian(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing = Crashing(sandbox, monkeypatch, after("runner.recorder:Recorder.commit", GUARDIAN))
    run = sandbox.submit(*script("exits_on_signal.py"), max_run_seconds=0.6)
    crashing.wait_until_all_happened()
    assert end_of(run) == (Status.TIMEBOXED, 1, None)
    assert run.reports() == ["begin", "SIGINT"]
    assert 0.6 <= run.run().attempt.running_seconds < 2.0


def test_the_warning_signal_is_sent_once(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = StopPlan(warn_signal="SIGUSR1", warn_seconds=0.9)
    crashing = Crashing(sandbox, monkeypatch, after("runner.tree:Tree.signal_group", GUARDIAN))
    run = sandbox.submit(*script("exits_on_signal.py"), max_run_seconds=1.2, stop=plan)
    crashing.wait_until_all_happened()
    assert end_of(run) == (Status.TIMEBOXED, 1, None)
    assert run.reports() == ["begin", "SIGUSR1", "SIGINT"]
