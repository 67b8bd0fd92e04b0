"""A process dies between any two steps of the protocol: the run is executed once, and its record is right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backprop_tui.domain.run import Ended
from backprop_tui.domain.status import Status
from tests.end_to_end.crashing import Crashing
from tests.support.crashes import FORKER, GUARDIAN, SUPERVISOR, Crash, after, before
from tests.support.processes import comm, exit_codes_are_public, with_environment
from tests.support.sandbox import Sandbox, Submitted, script

ANNOUNCE = "runner.checkpoint_record:CheckpointRecord.announce"
WRITE = "store.run_directory:RunDirectory.write"
LAUNCH = "launchers.launcher:LocalLauncher.launch"
GUARDIAN_BEGINS = before("runner.main:run_guardian")
APPLY_STATE = "runner.guarding:apply_recorded_state"
RUNS = after("runner.recorder:Recorder.commit", GUARDIAN)  # the script runs and all is recorded
CHILD_BEGINS = before("runner.script_child:_reset_signals", GUARDIAN)
FORKED = after("os:fork", GUARDIAN, returning=True)
STARTED = after("runner.script_child:ScriptChild.start", GUARDIAN)
COMMAND_SENT = after("runner.script_child:SpareChild.execute", GUARDIAN)


def case(name: str, *crashes: Crash) -> object:
    return pytest.param(crashes, id=name)


def end_of(run: Submitted) -> tuple[Status, int | None, str | None]:
    state = run.wait_for_end().state
    assert isinstance(state, Ended)
    return state.status, state.exit_code, state.signal


def assert_nothing_is_left(sandbox: Sandbox, run: Submitted) -> None:
    run.wait(lambda: not os.path.exists(run.directory.file("environment")), "its environment deleted")
    sandbox.wait_until_nothing_runs()


SUPERVISOR_DIES = [
    case("supervisor: before it writes starting", before(WRITE, SUPERVISOR, status="starting")),
    case("supervisor: after it wrote starting", after(WRITE, SUPERVISOR, status="starting")),
    case("supervisor: after it spent a start token", after("engine.capacity:Capacity.record_start", SUPERVISOR)),
    case("supervisor: before it asks for a guardian", before(LAUNCH, SUPERVISOR)),
    case(
        "supervisor: before it requeues a run that never started",
        GUARDIAN_BEGINS,
        before(WRITE, SUPERVISOR, status="queued"),
    ),
    case(
        "supervisor: after it requeued a run that never started",
        GUARDIAN_BEGINS,
        after(WRITE, SUPERVISOR, status="queued"),
    ),
    pytest.param(
        (RUNS, before(LAUNCH, SUPERVISOR, times=2)),
        id="supervisor: before it has a script adopted",
        marks=pytest.mark.skipif(not exit_codes_are_public(), reason="init reaps the script: no exit code"),
    ),
    case("supervisor: after it asked for a guardian", after("socket:send_fds", SUPERVISOR)),
    case("supervisor: after it has a guardian", after(LAUNCH, SUPERVISOR)),
]
INDEXING = [
    case("before it indexes the end", before("engine.supervisor:index_runs", SUPERVISOR, status="failed")),
    case("between the two files of the index", after("store.index:_write", SUPERVISOR)),
    case("between index and marker", before("engine.unfinished_runs:unmark", SUPERVISOR)),
    case("after it removed the marker", after("engine.unfinished_runs:unmark", SUPERVISOR)),
]


@pytest.mark.parametrize("crashes", INDEXING)
def test_the_end_is_indexed_although_the_supervisor_dies_meanwhile(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, crashes: tuple[Crash, ...]
) -> None:
    crashing = Crashing(sandbox, monkeypatch, *crashes)
    run = sandbox.submit(*script("worker.py", 3, 0.05, 3))
    crashing.wait_until_all_happened()
    assert end_of(run) == (Status.FAILED, 3, None)
    assert run.reports() == ["begin", "end 3"]
    assert len(run.run().attempts) == 1
    sandbox.wait_until_all_is_indexed()
    assert sandbox.index()[run.id]["status"] == "failed"
    assert_nothing_is_left(sandbox, run)


WHILE_IT_RUNS = [
    *SUPERVISOR_DIES,
    case("fork server: before the fork", before("os:fork", FORKER)),
    case("fork server: after the fork", after("os:fork", FORKER, returning=True)),
    case("fork server: before the guardian has its run", before("socket:send_fds", FORKER)),
    case("fork server: before its answer", after("socket:send_fds", FORKER)),
    case("fork server: after its answer", after("socket:send_fds", FORKER, times=2)),
    case("guardian: at its first step", GUARDIAN_BEGINS),
    case("guardian: before it takes script.lock", before("runner.main:start", GUARDIAN)),
    case("guardian: before it empties script.lock", before("os:ftruncate", GUARDIAN)),
    case("guardian: after it emptied script.lock", after("os:ftruncate", GUARDIAN)),
    case("guardian: after the fork", FORKED),
    case("guardian: before it forks its child", before("runner.script_child:ScriptChild.start")),
    case("guardian: after it forked its child", STARTED),
    case("guardian and child: before the child recorded itself", FORKED, CHILD_BEGINS),
    case("guardian: after the script's exec", after("runner.start:start_script", GUARDIAN)),
    case("guardian: before it writes running", before(WRITE, GUARDIAN, status="running")),
    case("guardian: after it wrote running", after(WRITE, GUARDIAN, status="running")),
    case("guardian: once all is recorded", RUNS),
    case("adopter: before it adopts", RUNS, before("runner.main:adopt", GUARDIAN)),
    case("adopter: after it adopted", RUNS, after("runner.main:adopt", GUARDIAN)),
    case("adopter: before it applies the recorded state", RUNS, before(APPLY_STATE, GUARDIAN)),
    case("adopter: after it applied the recorded state", RUNS, after(APPLY_STATE, GUARDIAN)),
    case("adopters: three in a row", RUNS, *[after(APPLY_STATE, GUARDIAN)] * 3),
    case("guardian: between metrics.jsonl and live.json", before("runner.progress:ProgressRecorder.record", GUARDIAN)),
    case("guardian: after an announced checkpoint", after(ANNOUNCE, GUARDIAN)),
]
AT_ITS_END = [
    case("guardian: before it reaps", before("runner.guardian:Guardian._collect", GUARDIAN)),
    case("guardian: after it wrote the end", after(WRITE, GUARDIAN, status="failed")),
    case("guardian: after it recorded the end events", after("runner.guarding:write_end", GUARDIAN)),
    case("guardian: after it deleted the environment", after("runner.guarding:_conclude", GUARDIAN)),
    case("guardian: after it released the run's lock", before("runner.main:_ensure_supervisor", GUARDIAN)),
]


def assert_recovered(sandbox: Sandbox, run: Submitted) -> None:
    assert end_of(run) == (Status.FAILED, 3, None)
    assert run.reports() == ["begin", "end 3"]
    assert len(run.run().attempts) == 1
    assert [line["step"] for line in run.metrics()] == [1, 2, 3, 4]
    assert run.run().step == 4
    assert run.events().count("checkpoint") == 1
    assert_nothing_is_left(sandbox, run)


@pytest.mark.parametrize("crashes", WHILE_IT_RUNS)
def test_a_run_recovers_on_its_own_and_is_executed_once(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, crashes: tuple[Crash, ...]
) -> None:
    crashing = Crashing(sandbox, monkeypatch, *crashes)
    run = sandbox.submit(*script("worker.py", 4, 0.02, 3, "go"))
    crashing.wait_until_all_happened()
    # The exit code of a script that ends while nobody watches it is lost.
    run.wait(run.is_watched, "watched by a guardian")
    Path(run.run().spec.cwd, "go").touch()
    assert_recovered(sandbox, run)


WITH_A_SPARE_CHILD = [
    case("before it told its child what to execute", before("runner.script_child:SpareChild.execute")),
    case("after it told its child what to execute", COMMAND_SENT),
]


@pytest.mark.parametrize("crashes", WITH_A_SPARE_CHILD)
def test_a_run_of_a_guardian_that_was_forked_in_advance_is_executed_once(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, crashes: tuple[Crash, ...]
) -> None:
    crashing = Crashing(sandbox, monkeypatch, *crashes)
    first = sandbox.submit(*script("worker.py", 1, 60, 0))
    first.wait(first.is_watched, "watched by a guardian")

    def has_spare() -> bool:
        return any(comm(each.pid) == "backprop-spare" for each in with_environment(sandbox.folder))

    sandbox.wait_until(has_spare, "a guardian waits")
    run = sandbox.submit(*script("worker.py", 4, 0.02, 3, "go"))
    crashing.wait_until_all_happened()
    run.wait(run.is_watched, "watched by a guardian")
    Path(run.run().spec.cwd, "go").touch()
    assert end_of(run) == (Status.FAILED, 3, None)
    assert run.reports() == ["begin", "end 3"]
    assert len(run.run().attempts) == 1


@pytest.mark.parametrize("crashes", AT_ITS_END)
def test_a_run_is_recorded_although_its_guardian_dies_at_its_end(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, crashes: tuple[Crash, ...]
) -> None:
    crashing = Crashing(sandbox, monkeypatch, *crashes)
    run = sandbox.submit(*script("worker.py", 4, 0.02, 3))
    crashing.wait_until_all_happened()
    assert_recovered(sandbox, run)


NOBODY_SAW_THE_CODE = [
    case("after it reaped", after("runner.guardian:Guardian._collect", GUARDIAN)),
    case("before it kills what remains", before("runner.tree:Tree.kill_remaining", GUARDIAN)),
    case("after it killed what remains", after("runner.tree:Tree.kill_remaining", GUARDIAN)),
    case("before it writes the end", before("runner.guarding:write_end", GUARDIAN)),
]


@pytest.mark.parametrize("crashes", NOBODY_SAW_THE_CODE)
def test_if_the_guardian_dies_before_the_end_is_recorded_the_run_is_lost_and_has_no_code(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, crashes: tuple[Crash, ...]
) -> None:
    Crashing(sandbox, monkeypatch, *crashes)
    run = sandbox.submit(*script("worker.py", 3, 0.05, 3))
    assert end_of(run) == (Status.LOST, None, None)
    assert run.reports() == ["begin", "end 3"]
    assert_nothing_is_left(sandbox, run)


@pytest.mark.parametrize("crashes", NOBODY_SAW_THE_CODE)
def test_if_the_guardian_dies_after_our_signal_is_recorded_the_run_is_timeboxed(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, crashes: tuple[Crash, ...]
) -> None:
    Crashing(sandbox, monkeypatch, *crashes)
    run = sandbox.submit(*script("exits_on_signal.py"), max_run_seconds=0.3)
    assert end_of(run) == (Status.TIMEBOXED, None, None)
    assert run.reports() == ["begin", "SIGINT"]
    assert_nothing_is_left(sandbox, run)


CHILD_DIES = [
    case("before it recorded itself", CHILD_BEGINS),
    case("after it wrote who it is", before("runner.script_child:_apply", GUARDIAN)),
    case("after it wrote who it is, and its guardian too", STARTED, before("runner.script_child:_apply", GUARDIAN)),
]


@pytest.mark.parametrize("crashes", CHILD_DIES)
def test_a_child_killed_before_its_exec_is_not_restarted_automatically(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, crashes: tuple[Crash, ...]
) -> None:
    crashing = Crashing(sandbox, monkeypatch, *crashes)
    run = sandbox.submit(*script("worker.py", 3, 0.05, 3))
    assert end_of(run) == (Status.FAILED, None, "SIGKILL")
    crashing.wait_until_all_happened()
    assert run.reports() == []
    assert_nothing_is_left(sandbox, run)
