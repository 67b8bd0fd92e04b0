"""What `status`, `doctor` and `show` report about GPUs, and what the files record."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backprop_tui.domain.status import Status
from tests.end_to_end.gpu.gpu_runs import ENDLESS, gigabytes, held_by, limits
from tests.support.commands import Commands
from tests.support.gpus import ABSENT, MISMATCH, Gpus
from tests.support.sandbox import Sandbox, Submitted, python


def working(sandbox: Sandbox, gpus: Gpus) -> Submitted:
    """A run that holds 7 GB of GPU 1, as the sampler sees it."""
    run = sandbox.submit(*python(ENDLESS), limits=limits(), gpu_ids=("1",))
    run.wait_for(Status.RUNNING)
    script = run.script()
    assert script is not None
    gpus.set(1, celsius=66, utilization=93, watts=412.5)
    gpus.hold(1, script.pid, gigabytes(7))
    run.wait(lambda: (live := run.live()) is not None and live.peak.vram_bytes, "its peak measured")
    return run


def test_status_shows_each_gpu_and_whose_its_processes_are(sandbox: Sandbox, gpus: Gpus, obey: Commands) -> None:
    run = working(sandbox, gpus)
    idle, busy = obey.json("status")["gpus"]
    assert (idle["health"], idle["processes"]) == ("ok", [])
    assert (busy["index"], busy["uuid"], busy["temperature_celsius"]) == (1, gpus.uuid(1), 66)
    assert (busy["utilization_percent"], busy["power_watts"], busy["fan_percent"]) == (93, 412.5, None)
    (process,) = busy["processes"]
    assert (process["run"], process["memory_bytes"]) == (run.id, gigabytes(7))
    assert busy["memory_used_bytes"] == gigabytes(7)


def test_status_of_a_run_shows_its_gpus_and_their_peak(sandbox: Sandbox, gpus: Gpus, obey: Commands) -> None:
    run = working(sandbox, gpus)
    run.wait(lambda: obey.json("status", run.id)["peak"]["temperature_celsius"] == 66, "the peak shown")
    shown = obey.json("status", run.id)
    assert shown["gpus"] == [{"index": 1, "uuid": gpus.uuid(1)}]
    assert shown["peak"]["vram_bytes"] == gigabytes(7)
    words = obey("status", run.id).out
    assert "7.0 GB" in words or "7 GB" in words
    assert "66 °C" in words


def test_status_says_which_probe_is_used_and_why_not_the_others(
    sandbox: Sandbox, gpus: Gpus, obey: Commands, configure: Callable[..., None]
) -> None:
    configure("auto")
    gpus.break_nvml(ABSENT)
    words = obey("status", "--verbose").out
    assert "nvidia-smi" in words
    assert "not nvml: Python package nvidia-ml-py not installed" in words


def test_status_of_a_queued_run_says_what_it_waits_for(sandbox: Sandbox, gpus: Gpus, obey: Commands) -> None:
    gpus.set(0, celsius=88)
    run = sandbox.submit(*python(ENDLESS), limits=limits(), gpu_ids=("0",))
    held_by(sandbox, run, "gpu_temperature")
    (reason,) = obey.json("status", run.id)["hold_reasons"]
    assert (reason["check"], reason["figure"], reason["limit"]) == ("gpu_temperature", 88, 82)


@pytest.mark.parametrize(
    ("probe", "broken", "says"),
    [
        ("nvml", (MISMATCH, None), "driver and library differ in version"),
        ("auto", (MISMATCH, "Failed to initialize NVML: Driver/library version mismatch"), "differ in version"),
        ("nvidia-smi", (None, "who knows"), 'nvidia-smi failed with exit code 255, "who knows"'),
    ],
)
def test_doctor_explains_a_broken_driver_and_how_to_fix_it(
    sandbox: Sandbox,
    gpus: Gpus,
    obey: Commands,
    configure: Callable[..., None],
    probe: str,
    broken: tuple[int | None, str | None],
    says: str,
) -> None:
    configure(probe)
    nvml, smi = broken
    if nvml is not None:
        gpus.break_nvml(nvml)
    if smi is not None:
        gpus.break_smi(smi)
    result = obey("doctor")
    assert result.code != 0
    lines = [line for line in result.lines if "gpu probe" in line]
    assert lines[0].startswith("bad")
    assert says in lines[0]
    assert "one run starts at a time" in result.out


def test_doctor_shows_good_and_bad_gpus(sandbox: Sandbox, gpus: Gpus, obey: Commands) -> None:
    gpus.set(0, lost=True)
    gpus.set(1, celsius=92)
    lines = obey("doctor").lines
    lost = next(line for line in lines if line.split()[1:3] == ["gpu", "0"])
    hot = next(line for line in lines if line.split()[1:3] == ["gpu", "1"])
    assert lost.startswith("bad")
    assert "lost" in lost
    assert hot.startswith("warn")
    assert "92 °C" in hot


@pytest.mark.parametrize("asked", [(), ("--gpu-probe", "simulated")])
def test_a_dry_run_measures_if_no_sampler_runs_and_leaves_no_record(
    sandbox: Sandbox, gpus: Gpus, obey: Commands, asked: tuple[str, ...]
) -> None:
    result = obey("run", "--dry-run", "--json", *asked, "--", "true")
    assert (result.code, result.json["verdict"]) == (0, "start")
    assert obey.json("list") == []


@pytest.mark.parametrize(("celsius", "code"), [(40, 0), (90, 75)])
def test_no_wait_measures_too(sandbox: Sandbox, gpus: Gpus, obey: Commands, celsius: int, code: int) -> None:
    gpus.set(0, celsius=celsius)
    gpus.set(1, celsius=celsius)
    result = obey("run", "--no-wait", "-d", "--", "true")
    assert result.code == code
    assert ("GPU 0 too hot, 90 °C, starts below 82" in result.err) == (code == 75)
    assert len(obey.json("list")) == (0 if code else 1)
