"""Runs as admission and guard see them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backprop_tui.domain.live import Pause
from backprop_tui.domain.run import Run
from backprop_tui.engine.capacity import active_of, snapshot_for
from tests.engine.machines import Host


def asking(host: Host, probe: str) -> Run:
    run = host.runs.queued("a").read()
    return replace(run, spec=replace(run.spec, gpu_probe=probe))


@pytest.mark.parametrize(
    ("asked", "machine", "measured", "seen"),
    [
        ("auto", "auto", "nvml", (True, 2)),
        ("auto", "simulated", "simulated", (True, 2)),
        ("auto", "auto", "simulated", (False, 0)),
        ("nvml", "none", "none", (False, 0)),
        ("nvml", "auto", "nvidia-smi", (True, 2)),
        ("simulated", "auto", "nvml", (False, 0)),
        ("none", "auto", "nvml", (True, 0)),
        ("auto", "none", "nvml", (True, 0)),
    ],
)
def test_a_run_sees_the_gpus_of_the_probe_it_asks_for(
    host: Host, asked: str, machine: str, measured: str, seen: tuple[bool, int]
) -> None:
    host.readings_source.readings = replace(host.readings_source.readings, probe=measured)
    snapshot = snapshot_for(asking(host, asked), host.capacity.snapshot(()), machine)
    assert (snapshot.gpus_known, len(snapshot.readings.gpus)) == seen


def test_an_active_run_knows_who_paused_it_and_since_when(host: Host) -> None:
    guardian = host.runs.guarded("a")
    guardian.says(pause=Pause(since=100.0, by="heat", reason="hot"))
    seen = active_of(guardian.run, guardian.live, 160.0)
    assert (seen.paused_by, seen.paused_seconds, seen.stopping) == ("heat", 60.0, False)
    earlier = active_of(guardian.run, replace(guardian.live, attempt=7), 160.0)
    assert earlier.paused_by is None
    guardian.dies()
