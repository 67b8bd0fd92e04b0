"""Each check has the remedies that really lift it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backprop_tui.domain.run import Dependency
from backprop_tui.presentation.remedies import RemedyKind, how_to_change, remedies, remedy_text
from tests.tui.snapshots import ended, queued, running

RUNS = (running("nano"), ended("old"))


@pytest.mark.parametrize(
    ("reason", "texts"),
    [
        (
            {"check": "parallel", "figure": 2, "setting": "max_parallel"},
            ["max_parallel 3", "max_parallel 0, this run", "stop nano"],
        ),
        ({"check": "parallel", "figure": 2, "setting": None}, ["max_parallel 0, this run", "stop nano"]),
        ({"check": "starts", "figure": 0.2, "setting": "governor.starts_per_minute"}, ["starts_per_minute 0"]),
        ({"check": "starts", "figure": 40.0, "limit": 0}, []),
        ({"check": "ram", "setting": "min_free_ram_gb"}, ["min_free_ram_gb 0, this run", "min_free_ram_gb 0"]),
        (
            {"check": "disk", "setting": "governor.min_free_disk_gb"},
            ["min_free_disk_gb 0, this run", "min_free_disk_gb 0"],
        ),
        (
            {"check": "load", "setting": "governor.max_load_per_core"},
            ["max_load_per_core 0, this run", "max_load_per_core 0"],
        ),
        (
            {"check": "gpu_memory", "gpu": 0, "figure": 46.95 * 2**30, "setting": "gpu.min_free_vram_mb"},
            ["min_free_vram_mb 48000, this run", "stop nano"],
        ),
        ({"check": "gpu_memory", "gpu": 0, "figure": 9e7, "setting": "gpu.min_free_vram_mb"}, ["stop nano"]),
        ({"check": "gpu_memory", "gpu": 1, "setting": None}, []),  # no run of this store is on that GPU
        (
            {"check": "gpu_temperature", "figure": 78.4, "limit": 72.0, "gpu": 0, "setting": "gpu.max_temp_c"},
            ["max_temp_c 84, this run", "max_temp_c 84"],
        ),
        (  # no limit above the default
            {"check": "gpu_temperature", "figure": 83.4, "limit": 82.0, "gpu": 0, "setting": "gpu.max_temp_c"},
            [],
        ),
        ({"check": "gpu_count", "figure": 0, "limit": 1}, ["stop nano"]),
        ({"check": "gpu_count", "figure": 0, "limit": 4, "permanent": True}, ["rerun with fewer GPUs"]),
        ({"check": "gpu_memory", "gpu": 0, "setting": None, "permanent": True}, ["rerun with other options"]),
        ({"check": "queue_held"}, ["release the queue"]),
        ({"check": "probe"}, ["check the machine"]),
        ({"check": "gpu_health", "gpu": 0}, ["check the machine"]),
        ({"check": "dependency", "message": "after train (nano)"}, ["open nano"]),
        ({"check": "dependency", "message": "after train (another)"}, []),
        ({"check": "host"}, []),
        ({"check": "of_a_later_version"}, []),
    ],
)
def test_a_check_has_its_remedies(reason: dict[str, Any], texts: list[str]) -> None:
    waiting = queued("a", spec={"after": (Dependency(run="nano"),)})
    assert [remedy.text for remedy in remedies(reason, waiting, (*RUNS, waiting))] == texts


@pytest.mark.parametrize(
    ("check", "text"), [("starts", "passes by itself"), ("host", "no remedy here"), ("gpu_memory", "no remedy here")]
)
def test_a_check_without_a_remedy_says_so(check: str, text: str) -> None:
    assert remedy_text({"check": check}, ()) == text


def test_a_run_on_a_gpu_that_has_enough_memory_is_not_offered_to_be_stopped() -> None:
    """The end of `nano` on GPU 0 would not cool GPU 1."""
    count = {"check": "gpu_count", "figure": 1, "limit": 2, "message": "needs 2 GPUs, 1 usable"}
    hot = {"check": "gpu_temperature", "figure": 88.0, "limit": 82.0, "gpu": 1}
    assert remedies(count, queued("a", holds=(count, hot)), RUNS) == ()
    full = {"check": "gpu_memory", "gpu": 0}
    assert [remedy.text for remedy in remedies(count, queued("a", holds=(count, hot, full)), RUNS)] == ["stop nano"]


@pytest.mark.parametrize(("needed", "usable", "fits"), [(1, 0, 46000), (2, 0, 31900), (3, 1, 31900)])
def test_what_fits_is_proposed_once_for_all_gpus(needed: int, usable: int, fits: int) -> None:
    count = {"check": "gpu_count", "figure": usable, "limit": needed, "message": "none of 4 GPUs"}
    memory = {"check": "gpu_memory", "limit": 60 * 2**30, "setting": "gpu.min_free_vram_mb"}
    frees = [memory | {"gpu": gpu, "figure": gb * 2**30} for gpu, gb in enumerate((31.2, 45, 50, 12))]
    kept = {"check": "gpu_count", "gpu": 2, "figure": 0, "limit": 1, "message": "GPU 2 kept for hotone"}
    waiting = queued("a", holds=(count, kept, *frees))
    proposed = [remedy.text for remedy in remedies(count, waiting, ())]
    assert proposed == [f"min_free_vram_mb {fits}, this run"]
    lines = how_to_change(waiting.record["hold_reasons"], "a")
    assert lines == [f"to start it sooner: backprop-tui edit a --gpu-min-vram {fits}"]


def test_runs_of_the_same_name_are_distinguished_by_their_arguments() -> None:
    runs = [replace(running(name, name="train"), differing=(("lr", name),)) for name in ("1", "2")]
    offered = remedies({"check": "gpu_count", "figure": 0, "limit": 1}, queued("a"), runs)
    assert [remedy.text for remedy in offered] == ["stop train lr=1", "stop train lr=2"]


def test_a_limit_of_the_run_is_changed_with_its_setting() -> None:
    """A setting alone would not help a run that is queued already."""
    reason = {"check": "ram", "setting": "min_free_ram_gb"}
    only_this, both = remedies(reason, queued("a"), ())
    assert (only_this.kind, both.kind) == (RemedyKind.EDIT, RemedyKind.CONFIGURE)
    assert only_this.thresholds == both.thresholds
    assert both.thresholds is not None
    assert (both.setting, both.value, both.thresholds.min_free_ram_bytes) == ("min_free_ram_gb", "0", 0)
