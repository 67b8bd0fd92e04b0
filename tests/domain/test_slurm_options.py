"""What a run asks sbatch for, and how its job is named."""

from __future__ import annotations

import pytest

from backprop_tui.domain.slurm import JobReport, SlurmOptions, job_name, job_options, update_words

ALL = SlurmOptions(
    partition="main",
    account="lab",
    qos="high",
    constraint="fast",
    cpus=4,
    memory_gb=1.5,
    extra=("--mem=9G", "-x", "n3"),
)


def test_each_option_has_its_name_in_sbatch_and_further_ones_come_last() -> None:
    assert job_options(ALL, gpus=None, limit_minutes=16) == [
        *("--partition=main", "--account=lab", "--qos=high", "--constraint=fast", "--cpus-per-task=4", "--mem=1536M"),
        *("--time=16", "--mem=9G", "-x", "n3"),
    ]
    assert job_options(SlurmOptions(), gpus=None, limit_minutes=None) == []


@pytest.mark.parametrize(
    ("kind", "gpus", "asked"),
    [
        (None, None, None),
        (None, 0, None),
        (None, 2, "gpu:2"),
        ("gpu:a100", 2, "gpu:a100:2"),
        ("gpu:a100:4", 2, "gpu:a100:2"),
        ("gpu:a100:4", None, "gpu:a100:4"),
        ("gpu:a100:4", 0, None),  # --gpus 0 for a run, where the settings ask for some
        ("gpu:a100:2,nvme", None, "gpu:a100:2,nvme"),
        ("gpu:a100:2,nvme:4", 1, "gpu:a100:1,nvme:4"),
        ("nvme:4", 1, "gpu:1,nvme:4"),
        ("gpu:a100,nvme", 0, "nvme"),
    ],
)
def test_gpus_are_asked_for_by_kind_and_number(kind: str | None, gpus: int | None, asked: str | None) -> None:
    options = SlurmOptions(gres=kind)
    assert job_options(options, gpus=gpus, limit_minutes=None) == ([] if asked is None else [f"--gres={asked}"])
    if kind is not None and asked is not None:
        assert update_words(options, gpus=gpus) == [f"Gres={asked}"]


def test_a_job_has_the_name_of_the_run_and_is_recognized_by_its_end() -> None:
    name = job_name("k3x9", "lr=0.1, größe | 2", 2)
    assert name == "lr=0.1_gr_e_2-k3x9-2"
    report = JobReport(id="7", state="RUNNING", name=name)
    assert report.carries("k3x9", 2)
    assert not report.carries("k3x9", 1)
    assert not report.carries("3x9", 2)
    assert len(job_name("k3x9", "x" * 300, 2)) < 64
