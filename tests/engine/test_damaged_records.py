"""A run whose files cannot be read holds up no other."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.governor.snapshot import Candidate, PendingDependency
from backprop_tui.domain.run import Queued, Run, Starting
from backprop_tui.domain.status import Status
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import signature_of
from tests.engine.machines import Host


def _overwrite(path: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write("garbage")


def _replace(make: Callable[[str], None]) -> Callable[[str], None]:
    def replace(path: str) -> None:
        os.unlink(path)
        make(path)

    return replace


DAMAGE: dict[str, Callable[[str], None]] = {
    "garbage": _overwrite,
    "FIFO": _replace(os.mkfifo),
    "directory": _replace(os.mkdir),
    "loop": _replace(lambda path: os.symlink(path, path)),
    "device": _replace(lambda path: os.symlink("/dev/zero", path)),
}


@pytest.mark.parametrize("name", ["run.json", "events.jsonl", "lock", "requests.jsonl", "live.json", "environment"])
@pytest.mark.parametrize("damage", list(DAMAGE))
def test_a_damaged_file_of_one_run_holds_up_no_other(host: Host, name: str, damage: str) -> None:
    damaged = host.runs.guarded("a")
    damaged.dies()
    waiting = host.runs.queued("b")
    host.runs.queued("c")
    for directory in (damaged.directory, waiting):
        with open(directory.file(name), "a", encoding="utf-8"):
            pass
        DAMAGE[damage](directory.file(name))
    assert "c" in host.passes().guardians


def test_a_run_with_a_living_guardian_stays_as_it_was_while_its_record_is_damaged(host: Host) -> None:
    guardian = host.runs.guarded("a")
    host.launches.adopting["a"] = True  # watched
    before = host.passes().runs
    _overwrite(guardian.directory.record_path)
    assert host.passes().runs == before
    os.unlink(guardian.directory.record_path)
    assert host.passes().runs == before
    guardian.dies()


def test_the_record_of_a_run_that_lost_its_guardian_is_written_again(host: Host) -> None:
    guardian = host.runs.guarded("a")
    with open(guardian.directory.script_lock, "w", encoding="utf-8") as file:
        file.write("1 1 1\n")
    host.launches.adopting["a"] = True
    (before,) = host.passes().runs
    _overwrite(guardian.directory.record_path)
    host.passes()
    guardian.dies()
    del host.launches.adopting["a"]
    assert host.passes().runs == [before]
    assert host.launches.adopting == {"a": True}
    assert guardian.directory.read().status is Status.RUNNING
    with open(f"{guardian.directory.record_path}.damaged", encoding="utf-8") as file:
        assert file.read() == "garbage"


def test_a_run_that_cannot_be_started_waits_and_says_why(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.runs.queued("a")
    host.runs.queued("b")
    candidate = host.capacity.candidate

    def fails(run: Run, dependencies: tuple[PendingDependency, ...]) -> Candidate:
        if run.id == "a":
            raise OverflowError("too large")
        return candidate(run, dependencies)

    monkeypatch.setattr(host.capacity, "candidate", fails)
    result = host.passes()
    assert list(result.guardians) == ["b"]
    (reason,) = result.holds["a"].reasons
    assert reason.message == "cannot be started: OverflowError: too large"


def test_a_record_under_another_id_is_refused(host: Host) -> None:
    directory = host.runs.queued("a")
    with open(directory.record_path, encoding="utf-8") as file:
        record = json.load(file)
    with open(directory.record_path, "w", encoding="utf-8") as file:
        json.dump(record | {"id": ".."}, file)
    host.runs.queued("b")
    assert list(host.passes().guardians) == ["b"]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Reading records fails while `fails` is set, as on a disk with errors or without descriptors."""
    state, read = SimpleNamespace(fails=False), RunDirectory.read

    def read_or_fail(directory: RunDirectory) -> Run:
        if state.fails:
            raise StorageFailed(f"{directory.record_path}: Input/output error")
        return read(directory)

    monkeypatch.setattr(RunDirectory, "read", read_or_fail)
    return state


def test_an_end_that_could_not_be_read_once_is_not_overwritten(host: Host, disk: SimpleNamespace) -> None:
    guardian = host.runs.guarded("a")
    host.launches.adopting["a"] = True
    (before,) = host.passes().runs
    del host.launches.adopting["a"]
    guardian.ends(Status.COMPLETED)
    disk.fails = True
    assert host.passes().runs == [before], "its GPU stays its own"
    disk.fails = False
    assert [run.status for run in host.passes().runs] == [Status.COMPLETED]
    assert host.launches.adopting == {}


def test_an_end_that_was_written_since_the_record_was_damaged_is_not_overwritten(host: Host) -> None:
    guardian = host.runs.guarded("a")
    host.launches.adopting["a"] = True
    host.passes()
    _overwrite(guardian.directory.record_path)
    host.passes()
    del host.launches.adopting["a"]
    signature = signature_of(guardian.directory.record_path)
    assert signature is not None
    host.unfinished._broken["a"] = signature
    guardian.ends(Status.COMPLETED)
    restored = host.unfinished._restore(guardian.run.to(Queued(since=1.0)).to(Starting(since=1.0)))
    assert restored is not None
    assert restored.run.status is Status.COMPLETED


def test_a_waiting_run_whose_record_could_not_be_read_once_starts(host: Host, disk: SimpleNamespace) -> None:
    host.runs.queued("a")
    disk.fails = True
    assert host.passes().guardians == {}
    disk.fails = False
    assert list(host.passes().guardians) == ["a"]
