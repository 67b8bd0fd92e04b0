"""The histories of host and GPUs on disk: bounded, with gaps, and harmless when damaged."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.telemetry import GpuReading, HostReading, Readings
from backprop_tui.probes import histories
from backprop_tui.probes.histories import HISTORY_POINTS, HISTORY_SECONDS, HOST, HistoryRecorder, read_histories
from backprop_tui.probes.sampler import Sampler, SamplerOptions
from tests.support.waiting import wait_until

NOW = 1_800_000_000.0
GIB = 2**30


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("backprop_tui.probes.histories.time", Clock())
    return tmp_path / "histories.json"


class Clock:
    """The monotonic clock starts at 0."""

    def monotonic(self) -> float:
        return 0.0

    def time(self) -> float:
        return NOW


def readings(percent: float | None, *, time: float = NOW, gpus: int = 1) -> Readings:
    host = HostReading(cpu_percent=20.0, ram_total_bytes=8 * GIB, ram_available_bytes=2 * GIB)
    measured = tuple(
        GpuReading(
            index=index,
            uuid=f"GPU-{index}",
            name="H100",
            utilization_percent=percent,
            memory_total_bytes=80 * GIB,
            memory_used_bytes=40 * GIB,
            temperature_celsius=70.0,
        )
        for index in range(gpus)
    )
    return Readings(time=time, host=host, gpus=measured)


def recorded(path: Path, count: int) -> HistoryRecorder:
    recorder = HistoryRecorder(str(path), 7)
    for index in range(count):
        at = histories.FIRST_POINT_SECONDS + index * HISTORY_SECONDS
        recorder.add(readings(float(index % 100), time=NOW + at), at)
    return recorder


def test_a_point_is_the_mean_of_its_readings(path: Path) -> None:
    recorder = HistoryRecorder(str(path), 7)
    for at, percent in ((0.0, 10.0), (1.0, None), (2.0, 20.0)):
        recorder.add(readings(percent), at)
    recent = read_histories(str(path), NOW)
    gpu, host = recent.of["GPU-0"], recent.of[HOST]
    assert (gpu.utilization, gpu.memory, gpu.celsius) == ((15.0,), (50.0,), (70.0,))
    assert (host.utilization, host.memory, host.celsius) == ((20.0,), (75.0,), (None,))


def test_it_is_written_only_with_a_new_point(path: Path) -> None:
    recorder = HistoryRecorder(str(path), 7)
    for second in range(3 * 15 + 3):
        recorder.add(readings(50.0), float(second))
        if second in (2, 17):
            path.unlink()
    assert len(read_histories(str(path), NOW).of["GPU-0"].utilization) == 4
    path.unlink()
    recorder.add(readings(50.0), 50.0)
    assert not path.exists()


def test_the_file_is_bounded_however_long_it_runs(path: Path) -> None:
    recorded(path, 2 * HISTORY_POINTS)
    kept = read_histories(str(path), NOW + 2 * HISTORY_POINTS * HISTORY_SECONDS).of["GPU-0"].utilization
    assert len(kept) == HISTORY_POINTS
    assert path.stat().st_size < 20_000
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_another_sampler_continues_and_the_time_between_is_a_gap(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(path, 2)
    later = read_histories(str(path), NOW + histories.FIRST_POINT_SECONDS + 4.5 * HISTORY_SECONDS)
    assert later.of["GPU-0"].utilization == (0.0, 1.0, None, None, None)
    monkeypatch.setattr(Clock, "time", lambda _: later.time)
    recorder = HistoryRecorder(str(path), 8)
    recorder.add(readings(90.0, time=later.time), 2.0)
    assert read_histories(str(path), later.time).of["GPU-0"].utilization == (0.0, 1.0, None, None, None, 90.0)


def test_a_gpu_that_has_been_gone_for_an_hour_is_forgotten(path: Path) -> None:
    recorder = recorded(path, 1)
    for index in range(1, HISTORY_POINTS + 2):
        at = histories.FIRST_POINT_SECONDS + index * HISTORY_SECONDS
        recorder.add(readings(None, time=NOW + at, gpus=0), at)
        if index == 5:
            assert "GPU-0" in read_histories(str(path), NOW + at).of
    assert list(read_histories(str(path), NOW + at).of) == [HOST]


VALUES = st.lists(st.none() | st.floats() | st.integers() | st.text(max_size=2), max_size=4)
SERIES = st.fixed_dictionaries(dict.fromkeys(histories._FIELDS, VALUES | st.just([1.0] * 2 * HISTORY_POINTS)))
DAMAGE = st.one_of(
    st.builds(
        lambda time, of: json.dumps({"schema_version": histories.SCHEMA_VERSION, "time": time, "of": of}).encode(),
        st.just(NOW) | st.floats(),
        st.dictionaries(st.sampled_from([HOST, "GPU-0"]), SERIES),
    ),
    st.binary(max_size=60),
    st.recursive(
        st.none() | st.floats() | st.text(max_size=4) | st.sampled_from([1, 0, -1, NOW]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["time", "of", "schema_version", "GPU-0", "utilization"]), inner)
        ),
    ).map(lambda document: json.dumps(document).encode()),
)


@given(content=DAMAGE)
def test_a_damaged_file_is_as_good_as_none(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_bytes(content)
    recent = read_histories(str(path), NOW)
    assert all(len(history.utilization) <= HISTORY_POINTS for history in recent.of.values())
    HistoryRecorder(str(path), 7).add(readings(5.0), 1e9)
    assert read_histories(str(path), NOW).of["GPU-0"].utilization[-1:] == (5.0,)


def test_a_file_that_cannot_be_written_stops_no_sampler(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "histories.json"
    recorder = HistoryRecorder(str(path), 7)
    recorder.add(readings(5.0), 1e9)
    path.parent.mkdir()
    recorder.add(readings(7.0), 2e9)
    assert read_histories(str(path), NOW).of["GPU-0"].utilization[-2:] == (5.0, 7.0)


def test_the_sampler_records_what_it_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "FIRST_POINT_SECONDS", -1.0)
    path = tmp_path / "histories.json"
    options = SamplerOptions(
        out=str(tmp_path / "readings.json"), disk_path=str(tmp_path), probe="none", histories=str(path)
    )
    sampler = Sampler.for_this_machine(options)
    wait_until(lambda: sampler.measure() > 0 and path.exists(), "the first point")
    assert list(read_histories(str(path), time.time()).of) == [HOST]
