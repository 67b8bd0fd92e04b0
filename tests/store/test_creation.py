"""A run is created completely, or not at all."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from backprop_tui.domain.errors import StorageFailed, UsageError
from backprop_tui.store import creation
from backprop_tui.store.creation import IdTaken, Submission, delete_unfinished_builds
from backprop_tui.store.home import Home, check_run_id
from backprop_tui.store.locks import try_lock
from backprop_tui.store.run_directory import RunDirectory
from tests.domain.runs import queued


def test_a_created_run_is_marked_and_private_and_has_its_environment(store: Home) -> None:
    directory = creation.create(store, queued("a"), {"SECRET": "\udcff"}, time=1.0)
    assert os.path.exists(store.marker("a"))
    assert directory.read() == queued("a")
    assert directory.read_environment() == {"SECRET": "\udcff"}
    assert os.stat(directory.file("environment")).st_mode & 0o777 == 0o600
    assert os.stat(directory.path).st_mode & 0o777 == 0o700


def test_a_created_run_survives_a_power_cut_once_it_can_be_seen(store: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are on disk before their names are, and both before the run can be seen: one sync for both names."""
    steps: list[str] = []
    rename = os.rename

    def note_sync(descriptor: int) -> None:
        steps.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))

    def rename_and_note(old: str, new: str) -> None:
        steps.append(f"rename to {os.path.basename(new)}")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "rename", rename_and_note)
    creation.create(store, queued("a"), {"A": "b"}, time=1.0)
    draft = f"a~{os.getpid()}"
    assert steps == [
        *(".environment.tmp", "rename to environment", ".run.json.tmp", "rename to run.json", draft),
        *("active", "rename to a", "runs"),
    ]


def test_a_second_run_with_the_same_id_is_refused_and_the_first_is_unchanged(store: Home) -> None:
    creation.create(store, queued("a"), {}, time=1.0)
    with pytest.raises(IdTaken, match="backprop-tui resume a"):
        creation.create(store, queued("a", name="second"), {}, time=2.0)
    assert RunDirectory(store.run_folder("a")).read().name == "a"
    assert os.listdir(store.new) == []


def test_a_failed_submission_leaves_nothing(store: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageFailed("full")

    monkeypatch.setattr(RunDirectory, "write", full)
    with pytest.raises(StorageFailed):
        creation.create(store, queued("a"), {}, time=1.0)
    assert (os.listdir(store.new), os.listdir(store.runs), os.listdir(store.active)) == ([], [], [])


@pytest.mark.parametrize("run_id", ["", ".", "..", ".hidden", "a/b", "a b", "-x", "x" * 65, "ä"])
def test_an_id_that_is_not_a_valid_directory_name_is_refused(run_id: str) -> None:
    with pytest.raises(UsageError, match="--run-id"):
        check_run_id(run_id)


def test_the_same_key_returns_the_run_it_created(store: Home) -> None:
    with Submission(store, "k") as submission:
        assert submission.earlier() == []
        submission.record(["a"])
        creation.create(store, queued("a"), {}, time=1.0)
    with Submission(store, "k") as submission:
        assert submission.earlier() == ["a"]
    with Submission(store, "other") as submission:
        assert submission.earlier() == []


def test_a_key_whose_submission_died_before_creating_its_run_is_free_again(store: Home) -> None:
    with Submission(store, "k") as submission:
        submission.record(["never-made"])
    with Submission(store, "k") as submission:
        assert submission.earlier() == []


def aged(path: str) -> None:
    os.utime(path, (time.time() - 100, time.time() - 100))


def test_leftovers_of_a_killed_front_end_are_deleted_when_they_are_old(store: Home) -> None:
    os.mkdir(os.path.join(store.new, "dead~1"))
    aged(os.path.join(store.new, "dead~1"))
    creation.mark(store, "dead")
    aged(store.marker("dead"))
    os.mkdir(os.path.join(store.new, "young~2"))
    creation.mark(store, "young")
    delete_unfinished_builds(store, older_than_seconds=60)
    assert (os.listdir(store.new), os.listdir(store.active)) == (["young~2"], ["young"])


def test_a_lock_has_one_holder_until_every_copy_of_its_descriptor_is_closed(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    lock = try_lock(path)
    assert lock is not None
    assert try_lock(path) is None
    copy = os.dup(lock.descriptor)
    lock.close()
    assert try_lock(path) is None
    os.close(copy)
    again = try_lock(path)
    assert again is not None
    again.close()


def test_a_lock_on_a_replaced_file_does_not_block_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = try_lock(str(path))
    assert lock is not None
    path.unlink()
    second = try_lock(str(path))
    assert second is not None
    lock.close()
    second.close()
