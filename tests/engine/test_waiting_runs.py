"""A thousand runs that wait cost a supervisor next to nothing: it looks at what changed."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from backprop_tui.domain.governor.snapshot import Candidate, PendingDependency
from backprop_tui.domain.lifecycle import begin_attempt
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Peak
from backprop_tui.domain.slurm import SlurmJob, job_name, parse_queue
from backprop_tui.engine import supervisor
from backprop_tui.engine.slurm_queue import LOOK_SECONDS, SlurmQueue
from backprop_tui.engine.supervisor import SIGN_OF_LIFE_SECONDS, GovernorFile
from backprop_tui.engine.unfinished_runs import UnfinishedRuns
from backprop_tui.launchers.slurm import Slurm
from backprop_tui.store.creation import remove_marker
from backprop_tui.store.files import read_object
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from tests.engine.machines import Host
from tests.support.runs import Runs


def test_a_run_that_waits_is_read_again_only_when_somebody_rang(host: Host) -> None:
    directory, unfinished = host.runs.queued("a"), UnfinishedRuns(host.home)
    run = directory.read()
    unfinished.refresh(waiting=False)
    assert unfinished.runs() == [run], "a new run is seen in any case"
    directory.write(replace(run, note="edited"), durable=False)
    unfinished.refresh(waiting=False)
    assert unfinished.runs() == [run]
    unfinished.refresh()
    assert [run.note for run in unfinished.runs()] == ["edited"]


def test_nothing_is_listed_or_read_while_no_marker_changes(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand waiting runs cost as little as none; a run that started and one that ended are seen."""
    directory, unfinished = host.runs.queued("a"), UnfinishedRuns(host.home)
    unfinished.refresh()
    known = unfinished.runs()
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", lambda _: pytest.fail("the markers are as they were"))
        unfinished.refresh(waiting=False)
    assert unfinished.runs() is known
    starting = begin_attempt(directory.read(), now=1.0, boot_id="boot", gpus=())
    directory.write(starting, durable=False)
    unfinished.put(starting)
    directory.write(replace(starting, note="seen"), durable=False)
    unfinished.refresh(waiting=False)
    assert [run.note for run in unfinished.runs()] == ["seen"], "it does not wait any more"
    remove_marker(host.home, "a")
    unfinished.refresh(waiting=False)
    assert unfinished.runs() == []


def test_the_governor_is_written_when_it_decides_something_else_and_as_a_sign_of_life(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, result = GovernorFile(host.home), host.passes()
    assert file.is_due(result, {})
    file.write(result, {})
    assert not file.is_due(result, {})
    assert file.is_due(replace(result, queue_positions={"a": 1}), {})
    with open(host.home.governor, "rb") as first:  # keeps its inode from being given to the next file
        file.write(result, {})
        assert os.path.samestat(os.stat(host.home.governor), os.fstat(first.fileno()))
        file.write(replace(result, queue_positions={"a": 1}), {})
        assert (read_object(host.home.governor) or {})["places"] == {"a": 1}
    later = time.monotonic() + SIGN_OF_LIFE_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert file.is_due(replace(result, queue_positions={"a": 1}), {})
    with open(host.home.governor, "rb") as second:
        os.utime(host.home.governor, (0, 0))
        file.write(replace(result, queue_positions={"a": 1}), {})
        status = os.stat(host.home.governor)
        assert os.path.samestat(status, os.fstat(second.fileno())), "it need not be written again for that"
        assert time.time() - status.st_mtime < SIGN_OF_LIFE_SECONDS
    os.unlink(host.home.governor)
    later += SIGN_OF_LIFE_SECONDS
    file.write(replace(result, queue_positions={"a": 1}), {})
    assert os.path.exists(host.home.governor)


def test_runs_that_wait_are_sorted_when_one_of_them_has_changed(host: Host) -> None:
    directory = host.runs.queued("a")
    host.runs.queued("b")
    unfinished = host.unfinished
    unfinished.refresh()
    known = unfinished.by_state()
    unfinished.refresh()
    assert unfinished.by_state() is known
    assert known.positions == {"a": 1, "b": 2}
    directory.write(replace(directory.read(), priority=-1), durable=False)
    unfinished.refresh()
    assert unfinished.by_state().positions == {"b": 1, "a": 2}
    directory.write(replace(directory.read(), priority=1), durable=False)
    unfinished.current("a")
    assert unfinished.by_state().positions == {"a": 1, "b": 2}
    unfinished.put(begin_attempt(directory.read(), now=1.0, boot_id="boot", gpus=()))
    assert (unfinished.by_state().positions, [run.id for run in unfinished.active()]) == ({"b": 1}, ["a"])


def test_equal_parts_of_the_runs_of_a_sweep_are_kept_once(host: Host) -> None:
    for run_id in "ab":
        host.runs.queued(run_id)
    host.unfinished.refresh()
    first, second = host.unfinished.queued()
    assert first.spec.process is second.spec.process
    assert first.spec.limits is second.spec.limits


def test_a_run_that_waits_is_the_same_candidate_until_something_changes(host: Host) -> None:
    run, capacity = host.runs.queued("a").read(), host.capacity

    def candidate(**changes: object) -> Candidate:
        """In the next pass."""
        capacity.snapshot(())
        return capacity.candidate(replace(run, **changes) if changes else run, ())  # type: ignore[arg-type]

    known = candidate()
    assert candidate() is known
    assert candidate(name="other").name == "other"
    capacity.snapshot(())
    awaited = (PendingDependency(name="b", status="running"),)
    assert capacity.candidate(run, awaited).awaited == awaited
    capacity.vram_history.record(replace(run, peak=Peak(vram_bytes=7)))
    assert candidate().learned_peak_bytes == 7
    capacity.snapshot(())
    capacity.snapshot(())
    assert candidate() == replace(known, learned_peak_bytes=7), "forgotten by a pass that did not need it, made again"


def test_a_live_record_is_decoded_once_for_all_who_look_at_it(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    guardian = host.runs.guarded("a")
    decoded: list[str] = []
    read_live = RunDirectory.read_live

    def counted(directory: RunDirectory) -> Live | None:
        decoded.append(directory.path)
        return read_live(directory)

    monkeypatch.setattr(RunDirectory, "read_live", counted)
    live_records, now = host.capacity.live_records, time.monotonic()
    assert live_records.latest("a", now, seconds=5.0).live == guardian.live
    host.capacity.snapshot([guardian.run])
    assert live_records.latest("a", now + 10.0, seconds=0.0).live == guardian.live
    assert len(decoded) == 1, "its file has not changed"
    guardian.says(step=7)
    assert live_records.latest("a", now + 11.0, seconds=5.0).live != guardian.live
    assert live_records.latest("a", now + 16.0, seconds=5.0).live == guardian.live
    live_records.keep(())
    live_records.latest("a", now + 16.0, seconds=5.0)
    assert len(decoded) == 3
    guardian.dies()


def test_many_thousand_runs_are_looked_at_less_often() -> None:
    assert [supervisor._look_seconds(runs) for runs in (0, 1, 500, 10_000)] == [30.0, 5.0, 5.0, 100.0]


class Cluster:
    """A queue of waiting jobs, and which runs are looked at."""

    def __init__(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: dict[str, str] = {}
        self.looked_at: list[str] = []
        self.queue = SlurmQueue(home=home, config_path="")
        self._runs = Runs(home)
        monkeypatch.setattr(Slurm, "queue", lambda _: parse_queue("\n".join(self.lines.values())))
        monkeypatch.setattr(SlurmQueue, "_check_submitted", lambda _, run, _job: self.looked_at.append(run.id))

    def add(self, number: int) -> None:
        run_id, host = f"run{number}", self._runs.home.host
        job = SlurmJob(host=host, attempt=1, number=1, submitted_at=time.time(), id=str(number))
        self._runs.queued(run_id, spec={"launcher": "slurm"}, job=job)
        self.set_state(number, "PENDING")

    def set_state(self, number: int, state: str) -> None:
        name = job_name(f"run{number}", "", 1)
        self.lines[str(number)] = f"{number}|{state}|Priority||2027-12-01T10:00:00|{name}"

    def after_a_pass(self, monkeypatch: pytest.MonkeyPatch, seconds: float, *, look: bool = False) -> list[str]:
        """The runs that a pass looks at, that many seconds after the last."""
        self.looked_at.clear()
        now = time.monotonic() + seconds
        monkeypatch.setattr(time, "monotonic", lambda: now)
        self.queue.run_pass(look=look)
        return sorted(self.looked_at)


def test_runs_that_wait_in_slurm_are_looked_at_when_squeue_says_something_else(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(host.home, monkeypatch)
    for number in (1, 2):
        cluster.add(number)
    everybody = ["run1", "run2"]
    assert cluster.after_a_pass(monkeypatch, 0.0) == everybody
    assert cluster.after_a_pass(monkeypatch, 5.0) == []
    assert cluster.after_a_pass(monkeypatch, 5.0, look=True) == everybody
    cluster.set_state(2, "RUNNING")
    assert cluster.after_a_pass(monkeypatch, 5.0) == everybody
    assert cluster.after_a_pass(monkeypatch, 5.0) == everybody, "it begins at any moment, which squeue does not say"
    cluster.set_state(2, "PENDING")
    assert cluster.after_a_pass(monkeypatch, 5.0) == everybody
    assert cluster.after_a_pass(monkeypatch, 5.0) == []
    assert cluster.after_a_pass(monkeypatch, LOOK_SECONDS) == everybody
    cluster.add(3)
    assert "run3" in cluster.after_a_pass(monkeypatch, 5.0)


def test_an_answer_of_squeue_like_the_last_one_is_not_parsed_again() -> None:
    line = f"7|PENDING|Priority||2027-12-01T10:00:00|{job_name('run1', '', 1)}"
    assert parse_queue(line)["7"] is parse_queue(f"{line}\nrubbish")["7"]


def test_of_a_held_queue_only_the_first_runs_are_explained(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backprop_tui.engine.scheduler.EXPLAINED_RUNS", 2)
    for run_id in "abcd":
        host.runs.queued(run_id)
    with open(host.home.queue_held, "w", encoding="ascii"):
        result = host.passes()
    assert list(result.holds) == ["a", "b"]
    assert list(result.queue_positions) == ["a", "b", "c", "d"]
