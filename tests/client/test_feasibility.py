"""A run that this machine can never start is refused, and nothing is recorded."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backprop_tui.cli.commands.run import parse_request
from backprop_tui.cli.session import Session
from backprop_tui.client import machine
from backprop_tui.client.resume import queue_again
from backprop_tui.client.run_request import RunOptions
from backprop_tui.client.submit import submit
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.limits import GIGABYTE
from backprop_tui.domain.telemetry import GpuReading, HostReading, Readings
from backprop_tui.probes.host import HostProbe
from backprop_tui.probes.readings import Sample, write_sample
from backprop_tui.processes.linux import boot_id
from tests.support.runs import Runs

Machine = Callable[..., None]


def gpu(index: int, gigabytes: int | None = 80) -> GpuReading:
    total = None if gigabytes is None else gigabytes * GIGABYTE
    return GpuReading(index=index, uuid=f"GPU-{index}abc", name="Test", memory_total_bytes=total)


@pytest.fixture
def has(session: Session) -> Machine:
    """Makes the machine have these GPUs, as a sampler measured just now."""

    def measured(*gpus: GpuReading, known: bool = True, problem: str | None = None) -> None:
        readings = Readings(time=time.time(), host=HostReading(), gpus=gpus, probe="nvml", probe_problem=problem)
        sample = Sample(readings=readings, gpus_known=known, pid=os.getpid(), boot_id=boot_id())
        write_sample(session.home.readings, sample)

    return measured


@pytest.fixture
def script(workplace: Path) -> Path:
    path = workplace / "train.py"
    path.write_text("pass\n")
    return path


def queue(session: Session, words: str) -> list[str]:
    return submit(session, parse_request(["--python", sys.executable, "train.py", *words.split()]))


SHOW, EXPLAIN = "; backprop-tui status shows its GPUs", "; backprop-tui doctor says where it looked for GPUs"
ONE_GPU, TWO_GPUS = (gpu(0),), (gpu(0), gpu(1, 24))


@pytest.mark.parametrize(
    ("gpus", "options", "refusal"),
    [
        ((), "--gpus 1", "--gpus 1: this machine has no GPU; without --gpus the run uses the CPU" + EXPLAIN),
        (TWO_GPUS, "--gpus 99", "--gpus 99: this machine has 2 GPUs; ask for fewer" + SHOW),
        (ONE_GPU, "--gpus 2 --sweep seed=1..3", "--gpus 2: this machine has 1 GPU; ask for fewer" + SHOW),
        ((), "--gpu-ids 7", "--gpu-ids 7: there is no GPU 7; this machine has no GPU" + EXPLAIN),
        (TWO_GPUS, "--gpu-ids 0,7", "--gpu-ids 0,7: there is no GPU 7; this machine has GPU 0, 1" + SHOW),
        (TWO_GPUS, "--gpu-ids GPU-9", "--gpu-ids GPU-9: there is no GPU GPU-9; this machine has GPU 0, 1" + SHOW),
        (TWO_GPUS, "--gpu-ids 0,GPU-0", "--gpu-ids 0,GPU-0: names a GPU twice; give each once"),
        (TWO_GPUS, "--gpus 3 --gpu-ids 0,1", "--gpus 3: more than --gpu-ids names (0,1); leave out --gpus"),
        (
            TWO_GPUS,
            "--gpu-min-vram 90000",
            "--gpu-min-vram 90000: the largest GPU has 81920 MB (80 GB); give less" + SHOW,
        ),
        (
            TWO_GPUS,
            "--gpus 2 --gpu-min-vram 30000",
            "--gpu-min-vram 30000: only 1 of 2 GPUs has that much memory; give less, or fewer --gpus",
        ),
        (
            TWO_GPUS,
            "--gpu-ids 1 -g 30",
            "--gpu-memory-limit 30: the largest GPU has 24576 MB (24 GB); give less" + SHOW,
        ),
    ],
)
def test_gpus_that_the_machine_does_not_have_are_refused(
    session: Session, script: Path, has: Machine, gpus: tuple[GpuReading, ...], options: str, refusal: str
) -> None:
    has(*gpus)
    with pytest.raises(UsageError) as refused:
        queue(session, options)
    assert str(refused.value) == refusal
    assert os.listdir(session.home.runs) == []


@pytest.mark.parametrize(
    ("gpus", "options"),
    [
        ((), ""),
        ((), "--gpus 0"),
        ((), "--gpu-min-vram 90000"),
        (TWO_GPUS, "--gpus 2"),
        (TWO_GPUS, "--gpu-ids 1,GPU-0"),
        (TWO_GPUS, "--gpus 1 --gpu-ids 0,1"),
        (TWO_GPUS, "--gpu-min-vram 80000 -g 80"),
        ((gpu(0, None),), "--gpu-min-vram 90000"),
    ],
)
def test_what_the_machine_has_is_accepted(
    session: Session, script: Path, has: Machine, gpus: tuple[GpuReading, ...], options: str
) -> None:
    has(*gpus)
    assert len(queue(session, options)) == 1


def test_hidden_gpus_do_not_count(
    session: Session, script: Path, has: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    has(*TWO_GPUS)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with pytest.raises(UsageError, match="--gpus 2: CUDA_VISIBLE_DEVICES=1 shows 1 GPU"):
        queue(session, "--gpus 2")
    with pytest.raises(UsageError, match="--gpu-ids 0: CUDA_VISIBLE_DEVICES=1 hides GPU 0"):
        queue(session, "--gpu-ids 0")


def test_what_the_probe_cannot_tell_is_accepted_with_a_warning(
    session: Session, script: Path, has: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    has(known=False)
    assert queue(session, "--gpus 2")
    assert "--gpus 2: the GPU probe does not say" in (warning := capsys.readouterr().err)
    assert "the run waits until 2 GPUs are there, and backprop-tui stop RUN takes it out of the queue" in warning
    has(problem="driver and library differ")
    assert queue(session, "--gpu-ids 7")
    assert "until 1 GPU is there" in capsys.readouterr().err
    has(gpu(0))
    assert queue(session, "--gpus 2 --gpu-probe none")
    assert queue(session, "--gpus 2 --gpu-probe simulated")
    assert "the GPU probe does not say" in capsys.readouterr().err
    has(known=False)
    assert queue(session, "--gpu-min-vram 90000"), "it starts without a GPU if there is none"
    assert capsys.readouterr().err == ""


def test_the_gpus_are_only_measured_if_an_option_is_about_them(
    session: Session, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []

    def known_gpus(_home: object, _config: str, probe: str) -> tuple[GpuReading, ...]:
        measured.append(probe)
        return (gpu(0),)

    monkeypatch.setattr(machine, "known_gpus", known_gpus)
    queue(session, "--gpu-max-temp 70 --gpu-probe nvml -p 3")
    queue(session, "--gpus 0 -g 80%")
    assert measured == []
    queue(session, "--gpus 1 --gpu-probe nvml")
    assert measured == ["nvml"]


def test_more_ram_than_the_machine_has_is_refused(
    session: Session, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HostProbe, "ram", lambda _: (8 * GIGABYTE, GIGABYTE))
    assert queue(session, "--min-free-ram 8")
    has = "this machine has 8 GB of RAM in total; give less with --min-free-ram GB"
    with pytest.raises(UsageError) as refused:
        queue(session, "--min-free-ram 5000")
    assert str(refused.value) == f"--min-free-ram 5000: {has}"
    (script.parent / "backprop.toml").write_text("min_free_ram_gb = 9\n")
    with pytest.raises(UsageError) as refused:
        queue(session, "")
    assert str(refused.value) == f"min_free_ram_gb 9: {has}"


def test_a_resume_is_checked_in_the_same_way(session: Session, workplace: Path, runs: Runs, has: Machine) -> None:
    has(gpu(0))
    runs.ended("many", spec={"gpus": 4})
    with pytest.raises(UsageError, match="--gpus 4: this machine has 1 GPU"):
        queue_again(session, "many", RunOptions())
    with pytest.raises(UsageError, match="--min-free-ram 5000"):
        queue_again(session, "many", RunOptions(gpus=1, min_free_ram_bytes=5000 * GIGABYTE))
    assert queue_again(session, "many", RunOptions(gpus=1))[0].run.spec.gpus == 1
