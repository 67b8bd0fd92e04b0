"""Writing and reading readings.json."""

from __future__ import annotations

import errno
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading, HostReading, Readings
from backprop_tui.probes.readings import (
    Sample,
    boot_seconds,
    decode_sample,
    encode_sample,
    read_readings,
    read_sample,
    remove_leftovers,
    write_sample,
)
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.files import set_aside_report

texts = st.text(max_size=20)
floats = st.none() | st.floats(-1e15, 1e15)
wholes = st.none() | st.integers(0, 1 << 60)
processes = st.builds(
    GpuProcess,
    pid=st.integers(1, 1 << 22),
    memory_bytes=wholes,
    owner=st.none() | texts,
    run=st.none() | texts,
)
gpus = st.builds(
    GpuReading,
    index=st.integers(0, 63),
    uuid=texts,
    name=texts,
    health=st.sampled_from(GpuHealth),
    temperature_celsius=floats,
    utilization_percent=floats,
    memory_total_bytes=wholes,
    memory_used_bytes=wholes,
    power_watts=floats,
    power_limit_watts=floats,
    fan_percent=floats,
    processes=st.lists(processes, max_size=3).map(tuple),
    age_seconds=st.floats(0, 1e9),
    problem=st.none() | texts,
)
hosts = st.builds(
    HostReading,
    cpu_percent=floats,
    load_1m=floats,
    cores=floats,
    ram_total_bytes=wholes,
    ram_available_bytes=wholes,
    disk_free_bytes=wholes,
)
samples = st.builds(
    Sample,
    readings=st.builds(
        Readings,
        time=st.floats(0, 1e11),
        host=hosts,
        gpus=st.lists(gpus, max_size=3).map(tuple),
        probe=texts,
        probe_problem=st.none() | texts,
    ),
    passed_over=st.dictionaries(texts, texts, max_size=3),
    gpus_known=st.booleans(),
    pid=st.integers(1, 1 << 22),
    boot_id=texts,
)

SAMPLE = Sample(
    readings=Readings(time=1000.0, host=HostReading(cores=2.0), gpus=(GpuReading(index=0, uuid="GPU-a", name="Test"),)),
    passed_over={"nvml": "no library"},
    pid=os.getpid(),
    boot_id=boot_id(),
)


@given(samples)
def test_decoding_is_the_inverse_of_encoding(sample: Sample) -> None:
    assert decode_sample(encode_sample(sample)) == sample


@given(
    st.binary(max_size=200)
    | samples.map(encode_sample).flatmap(lambda all_: st.integers(0, len(all_) - 1).map(lambda n: all_[:n]))
)
def test_invalid_or_truncated_content_is_none(content: bytes) -> None:
    assert decode_sample(content) is None


@given(
    st.recursive(
        st.none() | st.integers() | texts,
        lambda inner: st.dictionaries(
            st.sampled_from(
                ["schema_version", "time", "boot_id", "pid", "probe", "host", "gpus", "passed_over", "index", "health"]
            ),
            inner,
        ),
    )
)
def test_json_of_another_shape_is_none(document: object) -> None:
    assert decode_sample(json.dumps(document).encode()) is None


def test_a_gpu_has_the_public_json_keys() -> None:
    gpu = json.loads(encode_sample(SAMPLE))["gpus"][0]
    assert set(gpu) == {
        *("index", "uuid", "name", "health", "temperature_celsius", "utilization_percent", "memory_total_bytes"),
        *(
            "memory_used_bytes",
            "power_watts",
            "power_limit_watts",
            "fan_percent",
            "processes",
            "age_seconds",
            "problem",
        ),
    }


def test_the_file_is_private_and_no_temporary_file_is_left(tmp_path: Path) -> None:
    path = tmp_path / "readings.json"
    write_sample(str(path), SAMPLE)
    write_sample(str(path), SAMPLE)
    assert os.listdir(tmp_path) == ["readings.json"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_sample(str(path)) == SAMPLE
    assert read_readings(str(path)) == SAMPLE.readings


def test_a_missing_file_and_a_file_of_another_boot_are_none(tmp_path: Path) -> None:
    path = str(tmp_path / "readings.json")
    assert read_sample(path) is None
    write_sample(path, replace(SAMPLE, boot_id="another"))
    assert read_sample(path) is None


def test_there_are_no_readings_while_the_gpus_are_not_known(tmp_path: Path) -> None:
    path = str(tmp_path / "readings.json")
    write_sample(path, replace(SAMPLE, gpus_known=False))
    assert read_readings(path) is None
    assert read_sample(path) is not None


def test_a_write_that_fails_keeps_the_old_file_and_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "readings.json")
    write_sample(path, SAMPLE)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(OSError, match="No space"):
        write_sample(path, replace(SAMPLE, passed_over={}))
    assert read_sample(path) == SAMPLE
    assert os.listdir(tmp_path) == ["readings.json"]


def test_temporary_files_are_removed_only_if_their_sampler_has_ended(tmp_path: Path) -> None:
    dead, living, other = ".readings.json.4194305.tmp", f".readings.json.{os.getpid()}.tmp", ".readings.json.x.tmp"
    for name in (dead, living, other):
        (tmp_path / name).touch()
    remove_leftovers(str(tmp_path / "readings.json"))
    assert set(os.listdir(tmp_path)) == {living, other}


def test_a_link_at_the_temporary_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / f".readings.json.{SAMPLE.pid}.tmp").symlink_to(tmp_path / "precious")
    write_sample(str(tmp_path / "readings.json"), SAMPLE)
    assert (tmp_path / "precious").read_text() == "mine"


@pytest.mark.parametrize("step", [-3600, 0, 3600])
def test_the_age_of_a_sample_is_true_when_the_wall_clock_was_set_since(tmp_path: Path, step: float) -> None:
    path, age = str(tmp_path / "readings.json"), 30.0
    readings = replace(SAMPLE.readings, time=time.time() - age - step)
    write_sample(path, replace(SAMPLE, readings=readings, mark=boot_seconds() - age))
    read_back = read_readings(path)
    assert read_back is not None
    assert time.time() - read_back.time == pytest.approx(age, abs=1)


def test_a_directory_in_place_of_the_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "readings.json" / "x").mkdir(parents=True)
    write_sample(str(tmp_path / "readings.json"), SAMPLE)
    assert read_sample(str(tmp_path / "readings.json")) == SAMPLE
    assert "readings.json" in (set_aside_report() or "")
