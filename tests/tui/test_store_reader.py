"""Reading the store for the dashboard."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.domain.requests import TimeboxRequest
from backprop_tui.domain.status import Status
from backprop_tui.domain.telemetry import HostReading, Readings
from backprop_tui.probes.histories import HOST, HistoryRecorder
from backprop_tui.probes.readings import Sample, write_sample
from backprop_tui.store import index
from backprop_tui.store.codec import encode
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import dump, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.store.index import RECENT, scan_runs, update
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import WatchedFile
from backprop_tui.tui.marked_run import MAX_CURVE_POINTS, CurveReader
from backprop_tui.tui.snapshot import WrongSetting
from backprop_tui.tui.store_reader import CoolingMeter, StoreReader
from tests.support.runs import Runs
from tests.support.slurm import hold, job
from tests.tui.snapshots import NOW, governor, gpu, sample


@pytest.fixture
def store(home: Path) -> Home:
    store = Home(str(home / "backprop"), "this-host")
    store.prepare()
    return store


@pytest.fixture
def runs(store: Home) -> Runs:
    return Runs(store)


def _reader(store: Home) -> StoreReader:
    return StoreReader(store, os.path.join(store.root, "config.toml"))


def test_an_empty_store_has_no_runs(store: Home) -> None:
    snapshot = _reader(store).read(None)
    assert (snapshot.runs, snapshot.total, snapshot.governor, snapshot.supervisor_pid) == ((), 0, None, None)


def test_running_runs_come_before_waiting_and_ended_ones(store: Home, runs: Runs) -> None:
    runs.ended("c")
    runs.queued("b2")
    runs.queued("b1", priority=1)
    guardian = runs.guarded("a")
    snapshot = _reader(store).read(None)
    assert [(run.id, run.queue_position) for run in snapshot.runs] == [("a", None), ("b1", 1), ("b2", 2), ("c", None)]
    assert snapshot.total == 4
    guardian.dies()


def test_a_change_of_the_live_record_is_noticed(store: Home, runs: Runs) -> None:
    reader = _reader(store)
    guardian = runs.guarded("a")
    assert reader.read(None).runs[0].status is Status.RUNNING
    guardian.says(step=7)
    live = reader.read(None).runs[0].live
    assert live is not None
    assert live.step == 7
    guardian.ends(Status.FAILED, exit_code=1)
    assert reader.read(None).runs[0].status is Status.FAILED


def test_the_record_is_not_decoded_again_while_only_the_live_record_changes(
    store: Home, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = _reader(store)
    guardian = runs.guarded("a")
    reader.read(None)
    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "read", lambda _self: pytest.fail("decoded again"))
        for step in (7, 8):
            guardian.says(step=step)
            assert reader.read(None).runs[0].record["step"] == step
    guardian.ends(Status.FAILED, exit_code=3)
    assert reader.read(None).runs[0].record["exit_code"] == 3


def test_unchanged_files_are_not_opened_again(store: Home, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.queued("a")
    reader = _reader(store)
    reader.read(None)

    def read(_: RunDirectory) -> None:
        raise AssertionError("opened again")

    monkeypatch.setattr(RunDirectory, "read", read)
    assert [run.id for run in reader.read(None).runs] == ["a"]


def test_a_run_that_was_removed_is_gone(store: Home, runs: Runs) -> None:
    runs.queued("a")
    reader = _reader(store)
    assert reader.read(None).runs
    os.unlink(store.marker("a"))
    assert not reader.read(None).runs


def test_the_first_read_takes_only_the_newest_runs_and_the_second_the_whole_index(store: Home, runs: Runs) -> None:
    for place in range(RECENT + 3):
        runs.ended(f"r{place}")
        os.unlink(store.marker(f"r{place}"))
    update(store, scan_runs(store))
    reader = _reader(store)
    assert len(reader.read(None).runs) == RECENT
    assert len(reader.read(None).runs) == RECENT + 3
    os.utime(store.index, (1.0, 1.0))  # as written again
    assert len(reader.read(None).runs) == RECENT + 3


def test_runs_of_earlier_months_are_read_when_they_are_asked_for(
    store: Home, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "KEPT", 2)
    monkeypatch.setattr(index, "SLACK", 0)
    for number in range(5):
        runs.ended(f"r{number}", name="train", spec={"command": ("train.py", "--lr", f"0.{number}")})
    update(store, scan_runs(store))
    for run_id in scan_runs(store):
        os.unlink(store.marker(run_id))
    reader = _reader(store)
    reader.read(None)
    assert reader.read(None).history == ()
    snapshot = reader.read(None, history=True)
    assert [run.id for run in snapshot.runs] == ["r4", "r3"]
    assert [run.id for run in snapshot.history] == ["r2", "r1", "r0"]
    assert snapshot.history[0].label == "train lr=0.2"
    assert snapshot.find("r0") is snapshot.history[2]
    assert reader.read(None).history is snapshot.history  # read once


def test_the_index_of_ended_runs_is_made_once(store: Home, runs: Runs) -> None:
    runs.ended("old")
    reader = _reader(store)
    reader.read(None)
    before = reader.read(None)
    assert reader.read(None).runs is before.runs
    runs.queued("new")
    reader.read(None)
    snapshots = reader.read(None), reader.read(None)
    assert [run.id for run in snapshots[0].runs] == ["new", "old"]
    first, second = (shown.runs.by_id.maps[1] for shown in snapshots)  # type: ignore[attr-defined]
    assert first is second
    assert snapshots[0].find("new") is snapshots[0].runs[0]
    assert snapshots[0].find("old") is snapshots[0].runs[1]
    assert snapshots[0].find("other") is None


def test_a_broken_record_hides_its_run_and_no_other(store: Home, runs: Runs) -> None:
    runs.queued("a")
    broken = runs.queued("b")
    write_atomically(broken.file("run.json"), b"{", durable=False)
    assert [run.id for run in _reader(store).read(None).runs] == ["a"]


def test_the_events_of_the_selected_run_are_read(store: Home, runs: Runs) -> None:
    guardian = runs.guarded("a")
    reader = _reader(store)
    guardian.tells("checkpoint", "saved x.pt")
    opened = reader.read("a").opened
    assert opened is not None
    assert [event["event"] for event in opened.events][-1] == "checkpoint"
    guardian.dies()


def test_the_state_of_a_dead_governor_is_ignored(store: Home, runs: Runs) -> None:
    runs.queued("a")
    record: JsonObject = {
        "state": "holding",
        "reasons": [],
        "start_tokens": None,
        "held": {"a": [{"check": "ram", "message": "RAM"}]},
    }
    write_atomically(store.host_file("governor.json"), dump(record), durable=False)
    snapshot = _reader(store).read(None)
    assert snapshot.governor is None
    assert snapshot.runs[0].record["hold_reasons"] == []


def test_a_run_that_has_ended_since_the_last_pass_uses_no_slot(
    store: Home, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backprop_tui.tui.store_reader.supervisor_pid", lambda _: os.getpid())
    guardian = runs.guarded("a")
    write_atomically(store.governor, dump({**encode(governor(active=1)), "pid": os.getpid()}), durable=False)
    reader = _reader(store)
    assert getattr(reader.read(None).governor, "active", None) == 1
    guardian.ends()
    assert getattr(reader.read(None).governor, "active", None) == 0


def test_reading_a_curve_continues_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    reader = CurveReader(str(path))
    assert reader.read().values == ()
    path.write_bytes(
        b'{"time":"2026-01-31T09:00:00.000Z","step":1,"metrics":{"lr":1,"loss":3.0}}\n'
        b'{"time":"2026-01-31T09:00:02.000Z","step":2,"metrics":{"loss":2.0}}\n{"step":3,"metr'
    )
    first = reader.read()
    assert (first.name, first.values) == ("loss", (3.0, 2.0))
    with path.open("ab") as file:
        file.write(b'ics":{"loss":"NaN"}}\n{"step":4,"metrics":{"loss":1.0}}\n')
    assert reader.read().values == (3.0, 2.0, 1.0)


def test_a_long_curve_consists_of_means(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(f'{{"metrics":{{"loss":{place % 2 * 2}}}}}\n' for place in range(3 * MAX_CURVE_POINTS)))
    assert set(CurveReader(str(path)).read().values) == {1.0}


def test_a_file_that_appears_or_vanishes_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    watched = WatchedFile(str(path))
    assert [watched.changed(), watched.changed()] == [True, False]
    path.write_text("x")
    assert [watched.changed(), watched.changed()] == [True, False]
    path.unlink()
    assert watched.changed()


def test_a_run_of_a_host_that_is_not_seen_says_so(store: Home) -> None:
    there = Home(store.root, "gone")
    there.prepare()
    guardian = Runs(there).guarded("far", created_at=1_700_000_000.0)
    Runs(there).queued("next", created_at=1_700_000_000.0)
    os.utime(guardian.directory.live_path, (1_700_000_000, 1_700_000_000))
    guardian.dies()
    running, queued = _reader(store).read(None).runs
    assert running.live is not None
    for text in (running.live.problem, running.record["reason"], queued.record["hold_reasons"][0]["message"]):
        assert str(text).startswith("on gone, not seen since ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_run_that_is_closed_to_this_user_is_counted(store: Home, runs: Runs) -> None:
    runs.queued("open")
    closed = runs.queued("closed")
    os.chmod(closed.path, 0)
    snapshot = _reader(store).read(None)
    os.chmod(closed.path, 0o700)
    assert [run.id for run in snapshot.runs] == ["open"]
    assert snapshot.problem == "1 run left out, not accessible to you: backprop-tui doctor"


def test_a_gpu_cools_measurably_only_after_a_while_and_if_it_falls() -> None:
    meter = CoolingMeter()
    for second in range(0, 31, 5):
        readings = replace(sample(gpu(0), gpu(1)).readings, time=NOW.wall + second)
        falling, steady = (replace(readings.gpus[0], temperature_celsius=90.0 - second / 5), readings.gpus[1])
        meter.note(Sample(readings=replace(readings, gpus=(falling, steady)), pid=1, boot_id=NOW.boot_id))
        assert ("GPU-0" in meter.cooling) == (second >= 20)
    assert meter.cooling == {"GPU-0": pytest.approx(0.2)}
    stale = replace(falling, age_seconds=10.0)  # the same reading again is no new one
    meter.note(Sample(readings=replace(readings, time=NOW.wall + 40, gpus=(stale,)), pid=1, boot_id=NOW.boot_id))
    assert meter.cooling == {"GPU-0": pytest.approx(0.2)}


def test_the_first_frame_has_the_histories_of_the_last_hour(store: Home) -> None:
    recorder = HistoryRecorder(store.histories, 7)
    measured = HostReading(cpu_percent=40.0)
    recorder.add(Readings(time=time.time(), host=measured), time.monotonic() + 60)
    assert _reader(store).read(None).histories[HOST].utilization == (40.0,)
    Path(store.histories).write_text("damaged")
    assert not _reader(store).read(None).histories


def _write_holds(store: Home, *reasons: JsonObject) -> None:
    held = {"held": {"a": list(reasons)}, "pid": os.getpid()}
    write_atomically(store.governor, dump(held), durable=False)


def test_other_reasons_of_a_waiting_run_do_not_make_it_read_again(
    store: Home, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backprop_tui.tui.store_reader.supervisor_pid", lambda _: os.getpid())
    runs.queued("a", spec={"launcher": "slurm"}, job=job(host=store.host))
    reader = _reader(store)
    for _ in range(2):
        reader.read(None)
    monkeypatch.setattr(RunDirectory, "read", lambda _: pytest.fail("read again"))
    for reason in ("Resources", "Priority"):
        _write_holds(store, hold(reason))
        (run,) = reader.read(None).runs
        assert run.record["slurm"]["reason"] == reason
        assert run.record["reason"] == "Slurm: for free nodes"


def test_an_edit_that_a_waiting_job_will_make_is_noticed(store: Home, runs: Runs) -> None:
    directory = runs.queued("a", spec={"launcher": "slurm"}, job=job(host=store.host))
    reader = _reader(store)
    reader.read(None)
    directory.append_request(TimeboxRequest(max_run_seconds=60.0))
    (run,) = reader.read(None).runs
    assert (run.record["max_run_minutes"], run.queue_position) == (1.0, None)


def test_nodes_are_read_while_runs_are_active_there(store: Home, runs: Runs) -> None:
    for name in ("n1", "n2"):
        node = Home(store.root, name)
        node.prepare()
        write_sample(node.readings, replace(sample(gpu(0)), boot_id="of another machine"))
    guardian = runs.guarded("a", host="n1")
    reader = _reader(store)
    (node_read,) = reader.read(None).nodes
    assert (node_read.name, len(node_read.sample.readings.gpus)) == ("n1", 1)
    guardian.ends()
    assert reader.read(None).nodes == ()


def test_a_run_in_slurms_queue_is_read_once(store: Home, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = runs.queued("a", spec={"launcher": "slurm"}, job=job())
    reader = _reader(store)
    before = reader.read(None).runs
    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "read", lambda _self: pytest.fail("nothing has changed"))
        assert reader.read(None).runs == before
    directory.append_request(TimeboxRequest(max_run_seconds=7200.0))
    (run,) = (known.run for known in reader.read(None).runs)
    assert run is not None
    assert run.spec.max_run_seconds == 7200.0


def test_a_wrong_key_of_the_configuration_is_named_until_it_is_right(store: Home) -> None:
    reader = _reader(store)
    path = Path(store.root, "config.toml")
    path.write_text("[gpu]\nmax_tmp_c = 80\n")
    text = "config.toml:2: unknown key 'gpu.max_tmp_c'; did you mean 'gpu.max_temp_c'?"
    assert reader.read(None).wrong_setting == WrongSetting(text=text, place="config.toml:2")
    path.write_text("max_parallel = 'two'\n")
    wrong = reader.read(None).wrong_setting
    assert wrong is not None
    assert (wrong.key, wrong.text[:35]) == ("max_parallel", "config.toml:1: max_parallel = 'two'")
    path.write_text("max_parallel = 3\n")
    snapshot = reader.read(None)
    assert (snapshot.wrong_setting, snapshot.limits.max_parallel) == (None, 3)


def test_all_wrong_settings_are_counted_also_those_of_the_project_and_of_variables(
    store: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BACKPROP_FRAMEWORK", "jax")
    reader = _reader(store)
    wrong = reader.read(None).wrong_setting
    assert wrong is not None
    assert (wrong.key, wrong.others) == ("framework", 0)
    project = tmp_path / "backprop.toml"
    project.write_text("zzz = 1\nmax_run_minutes = 'two hours'\n")
    wrong = reader.read(None).wrong_setting
    assert wrong is not None
    assert (wrong.key, wrong.place, wrong.others) == (None, "backprop.toml:1", 2)
    Path(store.root, "config.toml").write_text("max_parallel = two\n")
    wrong = reader.read(None).wrong_setting
    assert wrong is not None
    assert (wrong.place, wrong.others) == ("config.toml:1", 3)
    project.unlink()
    wrong = reader.read(None).wrong_setting
    assert wrong is not None
    assert wrong.others == 1
