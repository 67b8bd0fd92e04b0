"""A run is created completely, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backprop_tui.domain.errors import StorageFailed, UsageError
from backprop_tui.store import creation
from backprop_tui.store.creation import IdTaken, Submission, delete_unfinished_builds, remove_marker
from backprop_tui.store.home import Home, check_run_id
from backprop_tui.store.locks import try_lock
from backprop_tui.store.run_directory import RunDirectory, read_lines
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
        assert (submission.recorded(), submission.earlier()) == ([], [])
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


def test_what_is_confirmed_before_the_run_can_be_seen_may_still_refuse_it(store: Home) -> None:
    seen: list[tuple[list[str], list[str]]] = []

    def confirm() -> None:
        seen.append((os.listdir(store.active), os.listdir(store.runs)))
        raise StorageFailed("no")

    with pytest.raises(StorageFailed, match="no"):
        creation.create(store, queued("a"), {}, time=1.0, confirm=confirm)
    assert seen == [([], [])]
    assert (os.listdir(store.new), os.listdir(store.runs), os.listdir(store.active)) == ([], [], [])


def test_a_created_run_begins_with_an_event_and_an_empty_private_marker(store: Home) -> None:
    directory = creation.create(store, queued("a"), {}, time=86_400.0)
    (event,) = read_lines(directory.events_path)
    assert (event["event"], event["message"]) == ("queued", "queued")
    assert str(event["time"]).startswith("1970-01-02T00:00:00")
    marker = os.stat(store.marker("a"))
    assert (marker.st_size, marker.st_mode & 0o777) == (0, 0o600)


def appearing(monkeypatch: pytest.MonkeyPatch, make: Callable[[str], object]) -> None:
    """Another process makes something at the path of the run at the last moment."""
    mark = creation.mark

    def mark_and_make(home: Home, run_id: str) -> None:
        mark(home, run_id)
        make(home.run_folder(run_id))

    monkeypatch.setattr(creation, "mark", mark_and_make)


def make_full_directory(path: str) -> None:
    os.mkdir(path)
    os.mkdir(os.path.join(path, "x"))


@pytest.mark.parametrize("make", [make_full_directory, lambda path: os.symlink("nowhere", path), os.mkfifo])
def test_a_run_that_appears_at_the_last_moment_is_not_replaced(
    store: Home, make: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    appearing(monkeypatch, make)
    with pytest.raises(IdTaken) as refusal:
        creation.create(store, queued("a"), {}, time=1.0)
    assert refusal.value.run_id == "a"
    assert os.listdir(store.new) == []


def test_an_id_that_something_else_has_is_refused_before_anything_is_written(store: Home) -> None:
    os.symlink("nowhere", store.run_folder("a"))
    with pytest.raises(IdTaken):
        creation.create(store, queued("a"), {}, time=1.0)
    assert (os.listdir(store.new), os.listdir(store.active)) == ([], [])


def test_an_error_of_the_disk_at_the_last_step_is_no_taken_id(store: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def fail(old: str, new: str) -> None:
        if os.path.dirname(new) == store.runs:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rename(old, new)

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(StorageFailed, match=os.strerror(errno.EIO)):
        creation.create(store, queued("a"), {}, time=1.0)


def test_an_error_is_reported_although_its_draft_is_gone(store: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """`clean` may have deleted the draft of a front end that was suspended for long."""

    def lose(*_: object, **__: object) -> None:
        for name in os.listdir(store.new):
            shutil.rmtree(os.path.join(store.new, name))
        raise StorageFailed("full")

    monkeypatch.setattr(RunDirectory, "write", lose)
    with pytest.raises(StorageFailed, match="full"):
        creation.create(store, queued("a"), {}, time=1.0)


def test_a_marker_is_removed_whatever_it_is(store: Home) -> None:
    remove_marker(store, "missing")
    make_full_directory(store.marker("a"))
    remove_marker(store, "a")
    assert os.listdir(store.active) == []
    assert os.path.isdir(f"{store.active}.a.set-aside/x"), "what somebody put there is not deleted"


def test_a_marker_that_cannot_be_removed_is_an_error(store: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    creation.mark(store, "a")

    def fail(_path: str) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", fail)
        with pytest.raises(OSError, match=os.strerror(errno.EROFS)):
            remove_marker(store, "a")


@pytest.mark.parametrize("content", [b"a\nrubbish", b"a\n5", b"a\n[5]", b"a"])
def test_a_damaged_key_has_its_runs_and_no_options(store: Home, content: bytes) -> None:
    with Submission(store, "k") as submission:
        submission.record(["a", "b"], [{"name": "x"}, {}])
        assert submission.recorded() == ["a", "b"]
        assert submission.requested() == [{"name": "x"}, {}]
    (name,) = [name for name in os.listdir(store.keys) if not name.endswith(".lock")]
    with open(os.path.join(store.keys, name), "wb") as file:
        file.write(content)
    with Submission(store, "k") as submission:
        assert (submission.recorded(), submission.requested()) == (["a"], [])


def test_bytes_that_are_no_text_are_part_of_a_key_and_make_no_id(store: Home) -> None:
    with Submission(store, "\udcff") as submission:
        submission.record([])
        assert submission.earlier() == []
    (name,) = [name for name in os.listdir(store.keys) if not name.endswith(".lock")]
    with open(os.path.join(store.keys, name), "wb") as file:
        file.write(b"\xff\n[]")
    with Submission(store, "\udcff") as submission:
        assert submission.earlier() == []


def test_two_submissions_with_a_key_are_decided_one_after_the_other(
    store: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creation, "KEY_LOCK_SECONDS", 0.01)
    with Submission(store, "k"):
        with pytest.raises(StorageFailed, match="still in progress"):
            Submission(store, "k")
        with Submission(store, "other"):
            pass
    with Submission(store, "k"):
        pass


def test_a_recorded_key_survives_a_power_cut(store: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.readlink(f"/proc/self/fd/{number}")))
    with Submission(store, "k") as submission:
        submission.record(["a"])
    assert store.keys in synced


def test_markers_of_runs_that_exist_or_are_being_built_are_kept(store: Home) -> None:
    creation.create(store, queued("there"), {}, time=1.0)
    os.mkdir(os.path.join(store.new, f"built~{os.getpid()}"))
    for run_id in ("built", "gone"):
        creation.mark(store, run_id)
    for run_id in ("built", "gone", "there"):
        aged(store.marker(run_id))
    creation.mark(store, "new")
    delete_unfinished_builds(store, older_than_seconds=60)
    assert sorted(os.listdir(store.active)) == ["built", "new", "there"]


def test_a_leftover_that_is_gone_when_it_is_looked_at_is_not_old(store: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listdir", lambda _folder: ["gone"])
    delete_unfinished_builds(store, older_than_seconds=60)


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
