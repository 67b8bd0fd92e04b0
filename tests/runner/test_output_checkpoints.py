"""Checkpoints on disk, as they reach the record."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from backprop_tui.readers.events import CheckpointSaved
from backprop_tui.runner.outputs import checkpoints
from backprop_tui.runner.outputs.checkpoints import (
    MAX_WRITING_SECONDS,
    CheckpointFound,
    CheckpointScanner,
)
from tests.runner.scanned import Scanned, torch_save, trainer_save


def test_an_unannounced_checkpoint_is_recorded_once_it_is_complete_and_unchanged(watched: Scanned) -> None:
    path = torch_save(watched.cwd / "out" / "ckpt_step_20.pt")
    watched.scan()
    assert watched.names() == []
    watched.scan()
    recorded = [(saved.step, saved.sound, saved.size_bytes) for saved in watched.checkpoints]
    assert recorded == [(20, True, path.stat().st_size)]
    watched.scan_until_unchanged()
    assert len(watched.messages("checkpoint")) == 1


def test_a_checkpoint_that_is_being_written_is_waited_for(watched: Scanned) -> None:
    whole = torch_save(watched.cwd / "whole.bin").read_bytes()
    path = watched.cwd / "last.ckpt"
    path.write_bytes(whole[:40])
    watched.scan_until_unchanged()
    watched.scan()
    assert watched.names() == []
    assert watched.checkpoint_record.pending == {str(path)}
    path.write_bytes(whole)
    watched.scan_until_unchanged()
    assert watched.names() == ["last.ckpt"]
    assert watched.checkpoint_record.pending == frozenset()


def test_a_directory_is_complete_with_the_file_its_framework_saves_last(watched: Scanned) -> None:
    folder = trainer_save(watched.cwd / "out" / "checkpoint-10", 10)
    (folder / "trainer_state.json").unlink()
    watched.scan_until_unchanged()
    assert watched.names() == []
    (folder / "trainer_state.json").write_text('{"global_step": 11}')
    watched.scan_until_unchanged()
    assert {saved.path: saved.step for saved in watched.checkpoints} == {str(folder): 11}


def test_a_checkpoint_half_written_at_the_end_is_recorded_as_unsound(watched: Scanned) -> None:
    whole = torch_save(watched.cwd / "ckpt_1.pt")
    watched.scan_until_unchanged()
    (watched.cwd / "ckpt_2.pt").write_bytes(whole.read_bytes()[:50])
    watched.scan(at_end=True)
    assert [saved.sound for saved in watched.checkpoints] == [True, False]
    assert "ckpt_2.pt is cut short" in watched.messages("torn_checkpoint")[0]


def test_an_overwritten_checkpoint_is_one_and_the_newest(watched: Scanned) -> None:
    torch_save(watched.cwd / "ckpt.pt")
    watched.scan_until_unchanged()
    torch_save(watched.cwd / "ckpt.pt", 300)
    watched.scan_until_unchanged()
    assert watched.names() == ["ckpt.pt"]
    assert len(watched.messages("checkpoint")) == 2


@pytest.mark.parametrize("announced_first", [True, False])
def test_a_checkpoint_that_is_announced_and_found_is_one(watched: Scanned, *, announced_first: bool) -> None:
    if announced_first:
        watched.announce("out/ckpt.pt", 5)
        torch_save(watched.cwd / "out" / "ckpt.pt")
    else:
        torch_save(watched.cwd / "out" / "ckpt.pt")
        watched.announce("out/ckpt.pt", 5)
    watched.scan_until_unchanged()
    (checkpoint,) = watched.checkpoints
    assert (checkpoint.step, checkpoint.sound) == (5, True)
    assert checkpoint.size_bytes is not None
    assert len(watched.messages("checkpoint")) == 1


def test_an_announced_directory_stands_for_the_file_in_it(watched: Scanned) -> None:
    watched.announce("out", 250)
    torch_save(watched.cwd / "out" / "ckpt.pt")
    watched.scan_until_unchanged()
    assert [(saved.path, saved.step) for saved in watched.checkpoints] == [(str(watched.cwd / "out"), 250)]


def test_an_announced_checkpoint_is_measured_wherever_it_is(watched: Scanned, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "weights.state"
    watched.announce(str(path), 1)
    path.parent.mkdir()
    path.write_bytes(b"12345")
    watched.announce(str(path), 2)
    watched.scan_until_unchanged()
    assert [(saved.size_bytes, saved.sound) for saved in watched.checkpoints] == [(5, True)]


def test_a_checkpoint_announced_before_it_is_written_is_measured_once_it_exists(watched: Scanned) -> None:
    path = watched.cwd.parent / "weights.state"
    watched.announce(str(path), 1)
    watched.scan_until_unchanged()
    assert watched.checkpoint_record.pending == frozenset(), "not waited for, since it may never be complete"
    path.write_bytes(b"12345")
    watched.scan_until_unchanged()
    assert [(saved.step, saved.size_bytes, saved.sound) for saved in watched.checkpoints] == [(1, 5, True)]


def test_a_directory_that_keeps_changing_is_not_waited_for_forever(watched: Scanned) -> None:
    watched.announce("out", 1)
    out = watched.cwd / "out"
    out.mkdir()
    for count in range(1, 5):
        (out / "log.txt").write_text("x" * count)
        watched.scan()
    assert watched.checkpoint_record.pending == {str(out)}
    watched.now += MAX_WRITING_SECONDS
    (out / "log.txt").write_text("more")
    watched.scan()
    assert watched.checkpoint_record.pending == frozenset()


def test_an_abandoned_checkpoint_becomes_unsound_and_makes_room_for_others(
    watched: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MAX_PENDING", 1)
    (watched.cwd / "step_1.ckpt").write_bytes(b"")
    watched.scan_until_unchanged()
    pending = [watched.scanner.is_any_pending]
    long_ago = time.time() - 2 * MAX_WRITING_SECONDS
    os.utime(watched.cwd / "step_1.ckpt", (long_ago, long_ago))
    watched.scan_until_unchanged()
    assert watched.names() == []
    watched.now += MAX_WRITING_SECONDS
    watched.scan()
    assert [saved.sound for saved in watched.checkpoints] == [False]
    pending.append(watched.scanner.is_any_pending)
    assert pending == [True, False]
    torch_save(watched.cwd / "step_2.ckpt")
    watched.scan_until_unchanged()
    assert [saved.sound for saved in watched.checkpoints] == [False, True]


def test_deleted_checkpoints_leave_the_record_and_do_not_count_as_growth(watched: Scanned) -> None:
    for step in range(1, 8):
        trainer_save(watched.cwd / f"checkpoint-{step}", step)
        if step > 2:
            shutil.rmtree(watched.cwd / f"checkpoint-{step - 2}")
        watched.scan_until_unchanged()
    assert watched.names() == ["checkpoint-6", "checkpoint-7"]
    pace = watched.recorder.live.pace
    assert pace is not None
    assert pace.bytes_per_save == 0


def test_disk_use_grows_by_each_saved_checkpoint(watched: Scanned) -> None:
    sizes = [torch_save(watched.cwd / f"ckpt_{step}.pt", 500).stat().st_size for step in range(1) for step in (1, 2, 3)]
    watched.scan_until_unchanged()
    pace = watched.recorder.live.pace
    assert pace is not None
    assert pace.bytes_per_save == sizes[0]


def test_a_best_checkpoint_does_not_count_beside_a_last_one(watched: Scanned) -> None:
    torch_save(watched.cwd / "weights" / "last.pt")
    torch_save(watched.cwd / "weights" / "best.pt")
    watched.scan_until_unchanged()
    assert watched.names() == ["weights/last.pt"]


def test_best_checkpoints_count_where_there_are_no_others(watched: Scanned) -> None:
    torch_save(watched.cwd / "weights" / "best.ckpt")
    watched.scan_until_unchanged()
    assert watched.names() == ["weights/best.ckpt"]


@pytest.mark.parametrize(
    ("glob", "file", "checkpoint"),
    [
        ("*.state", "a.state", "a.state"),
        ("out/*/model", "out/7/model/weights.any", "out/7/model"),
        ("**/snap_*", "deep/er/snap_3", "deep/er/snap_3"),
    ],
)
def test_a_pattern_finds_files_with_any_name(tmp_path: Path, glob: str, file: str, checkpoint: str) -> None:
    watched = Scanned(tmp_path, glob)
    path = watched.cwd / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"some state")
    (watched.cwd / "other.any").write_bytes(b"none")
    watched.scan_until_unchanged()
    assert watched.names() == [checkpoint]


def test_the_step_is_the_one_logged_before_the_save(watched: Scanned) -> None:
    watched.checkpoint_record.note_step(40)
    path = torch_save(watched.cwd / "ckpt.pt")
    os.utime(path)
    watched.scan()
    watched.checkpoint_record.note_step(90)
    watched.scan()
    assert [saved.step for saved in watched.checkpoints] == [40]


def test_a_checkpoint_announced_before_any_step_gets_the_step_logged_just_after(watched: Scanned) -> None:
    path = torch_save(watched.cwd / "ckpt.pt")
    watched.checkpoint_record.announce(CheckpointSaved(offset=1, path=str(path)), str(watched.cwd), None)
    for step in (20, 40):
        watched.checkpoint_record.note_step(step)
    watched.scan_until_unchanged()
    assert [saved.step for saved in watched.checkpoints] == [20]


def test_a_number_in_the_name_that_the_log_has_just_reached_is_the_step(watched: Scanned) -> None:
    watched.checkpoint_record.note_step(38)
    torch_save(watched.cwd / "ckpt_000040.pt")
    watched.checkpoint_record.note_step(41)
    torch_save(watched.cwd / "ckpt_000007.pt")
    watched.scan_until_unchanged()
    assert [saved.step for saved in watched.checkpoints] == [40, 41]


def test_the_duration_of_a_save_that_was_seen_changing_is_known(watched: Scanned) -> None:
    whole = torch_save(watched.cwd / "whole.bin").read_bytes()
    path = watched.cwd / "ckpt_3.pt"
    for size in (10, 20, 30):
        path.write_bytes(whole[:size])
        watched.scan()
    path.write_bytes(whole)
    sightings = [seen for _ in range(3) for seen in watched.scan() if isinstance(seen, CheckpointFound)]
    assert sightings[0].written_seconds is not None
    assert sightings[0].written_seconds >= 3


WEEK_SECONDS = 7 * 86_400


def test_what_an_earlier_training_left_is_no_checkpoint_although_it_is_announced(tmp_path: Path) -> None:
    watched = Scanned(tmp_path, since_ns=time.time_ns())
    path = torch_save(watched.cwd / "out" / "last.pt")
    long_ago = time.time() - WEEK_SECONDS
    os.utime(path, (long_ago, long_ago))
    watched.scanner = CheckpointScanner(watched.patterns, lambda: watched.checkpoints, since_ns=time.time_ns())
    watched.announce("out/last.pt", 20)
    watched.scan_until_unchanged()
    assert watched.names() == []
    assert watched.messages("checkpoint") == []
    assert watched.checkpoint_record.pending == frozenset(), "a stop does not wait for it"
    torch_save(path, 300)
    watched.scan_until_unchanged()
    assert [(saved.step, saved.sound, saved.written) for saved in watched.checkpoints] == [(20, True, True)]


def test_a_time_in_the_future_does_not_make_an_old_file_a_new_one(tmp_path: Path) -> None:
    watched = Scanned(tmp_path)
    path = torch_save(watched.cwd / "last.pt")
    os.utime(path, (time.time() + WEEK_SECONDS,) * 2)
    time.sleep(0.05)
    watched.scanner = CheckpointScanner(watched.patterns, lambda: watched.checkpoints, since_ns=time.time_ns())
    watched.announce("last.pt", 20)
    watched.scan_until_unchanged()
    watched.scan(at_end=True)
    assert watched.names() == []


def test_a_checkpoint_of_an_earlier_attempt_that_is_announced_and_not_written_again_stays(watched: Scanned) -> None:
    torch_save(watched.cwd / "last.pt")
    watched.announce("last.pt", 20)
    watched.scan_until_unchanged()
    watched.scanner = CheckpointScanner(watched.patterns, lambda: watched.checkpoints, since_ns=time.time_ns())
    watched.announce("last.pt", 40)
    watched.scan_until_unchanged()
    watched.scan(at_end=True)
    assert [(saved.step, saved.sound) for saved in watched.checkpoints] == [(20, True)]


def test_an_announced_checkpoint_that_never_appears_is_not_written_and_reported_as_none(watched: Scanned) -> None:
    watched.announce("out/step_100", 98)
    watched.scan_until_unchanged()
    watched.scan(at_end=True)
    assert [(saved.step, saved.sound, saved.written) for saved in watched.checkpoints] == [(100, None, False)]
    assert watched.messages("checkpoint") == []


@pytest.mark.parametrize("saves_every", [1, 2])
def test_a_file_that_is_saved_all_the_time_is_seen_and_is_whole(watched: Scanned, saves_every: int) -> None:
    for number in range(12):
        if number % saves_every == 0:
            torch_save(watched.cwd / "last.pt", 100 + number)
        watched.scan()
    assert [saved.sound for saved in watched.checkpoints] == [True]
    torch_save(watched.cwd / "last.pt", 500)
    watched.scan(at_end=True)
    assert watched.checkpoints[0].size_bytes == (watched.cwd / "last.pt").stat().st_size


def test_a_file_that_grows_all_the_time_is_not_taken_for_whole(watched: Scanned) -> None:
    whole = torch_save(watched.cwd / "whole.any", 5_000).read_bytes()
    for number in range(12):
        (watched.cwd / "last.pt").write_bytes(whole[: 100 * number])
        watched.scan()
    assert watched.names() == []


def test_numbered_files_saved_at_each_scan_are_all_seen(watched: Scanned) -> None:
    for step in range(1, 10):
        watched.checkpoint_record.note_step(step)
        torch_save(watched.cwd / f"model_{step}.pt")
        watched.scan()
    watched.scan()
    assert [saved.step for saved in watched.checkpoints] == list(range(1, 10))


def test_a_save_over_an_earlier_one_is_complete_with_all_of_its_shards(watched: Scanned) -> None:
    folder = watched.cwd / "last.ckpt"
    shards = [f"weights-0000{number}-of-00002.bin" for number in (1, 2)]
    for shard in shards:
        torch_save(folder / shard)
    watched.scan_until_unchanged()
    time.sleep(0.05)
    torch_save(folder / shards[0])
    watched.scan_until_unchanged()
    assert [saved.sound for saved in watched.checkpoints] == [True]
    watched.scan(at_end=True)
    assert [saved.sound for saved in watched.checkpoints] == [False]
    assert "mixes two saves" in watched.messages("torn_checkpoint")[0]


def test_a_link_and_what_it_points_to_are_one_checkpoint(watched: Scanned) -> None:
    torch_save(watched.cwd / "out" / "step_100.pt")
    (watched.cwd / "out" / "latest.pt").symlink_to("step_100.pt")
    watched.announce("out/latest.pt", 100)
    watched.scan_until_unchanged()
    assert [(name, saved.written) for name, saved in zip(watched.names(), watched.checkpoints, strict=True)] == [
        ("out/step_100.pt", True)
    ]


def test_a_relative_path_starts_where_the_script_works(tmp_path: Path) -> None:
    hydra = tmp_path / "outputs" / "12-00-00"
    watched = Scanned(tmp_path, folders=lambda: [str(hydra)])
    torch_save(hydra / "model.state")
    watched.announce("model.state", 7)
    watched.scan_until_unchanged()
    assert [(saved.path, saved.step, saved.sound) for saved in watched.checkpoints] == [
        (str(hydra / "model.state"), 7, True)
    ]


def test_a_relative_path_is_the_file_of_that_name_that_appears_below_the_cwd(watched: Scanned) -> None:
    watched.announce("ckpts/last.ckpt", 7)
    torch_save(watched.cwd / "outputs" / "12-00-00" / "ckpts" / "last.ckpt")
    watched.scan_until_unchanged()
    assert watched.names() == ["outputs/12-00-00/ckpts/last.ckpt"]
    assert [saved.step for saved in watched.checkpoints] == [7]


def test_a_number_in_the_name_of_an_announced_checkpoint_beats_the_bar(watched: Scanned) -> None:
    for step, name in ((98, "step_100"), (1759, "step_1800"), (1101, "model_001100.pt")):
        watched.announce(name, None, log_step=step)
    assert [saved.step for saved in watched.checkpoints] == [100, 1800, 1100]


def test_a_copy_of_an_older_file_is_no_checkpoint_although_it_is_announced(tmp_path: Path) -> None:
    pretrained = torch_save(tmp_path / "pretrained.pt")
    os.utime(pretrained, (time.time() - WEEK_SECONDS,) * 2)
    watched = Scanned(tmp_path, since_ns=time.time_ns())
    (watched.cwd / "out").mkdir()
    shutil.copy2(pretrained, watched.cwd / "out" / "model.pt")
    watched.announce("out/model.pt", log_step=0)
    watched.scan_until_unchanged()
    watched.scan(at_end=True)
    assert watched.names() == []
