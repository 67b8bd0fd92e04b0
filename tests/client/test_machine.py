"""The machine measured by a front end's own sampler."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from backprop_tui.client.machine import MachineProbe, MachineSettings, OwnSampler
from backprop_tui.domain.limits import MachineLimits
from backprop_tui.domain.telemetry import GpuReading, HostReading, Readings
from backprop_tui.probes.readings import Sample, write_sample
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.home import Home


@pytest.mark.parametrize("is_prepared", [True, False])
def test_a_sample_leaves_nothing_but_the_readings(
    home: Path, monkeypatch: pytest.MonkeyPatch, *, is_prepared: bool
) -> None:
    temporary = home / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    store = Home(str(home / "backprop"), "here")
    if is_prepared:
        store.prepare()
    sample = OwnSampler(store, probe="simulated", sample_seconds=1.0).sample()
    assert sample is not None
    assert sample.gpus_known
    assert list(temporary.iterdir()) == []
    assert os.path.exists(store.root) is is_prepared
    assert not is_prepared or os.listdir(store.host_folder) == ["readings.json"]


@pytest.mark.parametrize(("pid", "age"), [("self", 20.0), (2**22 + 1, 0.0)])
def test_a_reading_is_no_older_than_it_says(home: Path, pid: str | int, age: float) -> None:
    """That of a sampler which lives and measures seldom is shown with its age; otherwise the GPUs are measured."""
    store = Home(str(home / "backprop"), "here")
    store.prepare()
    gpu = GpuReading(index=0, uuid="GPU-0", name="Test")
    readings = Readings(time=time.time() - 20, host=HostReading(), gpus=(gpu,), probe="simulated")
    write_sample(
        store.readings, Sample(readings=readings, pid=os.getpid() if pid == "self" else int(pid), boot_id=boot_id())
    )
    settings = MachineSettings(limits=MachineLimits(sample_seconds=20.0), probe="simulated")
    shown = MachineProbe(store, settings).sample().readings.gpus[0]
    assert shown.age_seconds == pytest.approx(age, abs=2)
