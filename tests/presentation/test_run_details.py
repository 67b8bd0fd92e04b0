"""Details of a run: paths with a tilde, the GPUs that it asks for."""

from __future__ import annotations

import pytest

from backprop_tui.domain.limits import GIGABYTE, RunLimits
from backprop_tui.presentation.run_details import detail_sections, with_tilde
from backprop_tui.store.public_shape import checked
from tests.tui.snapshots import NOW, queued, running


@pytest.mark.parametrize(
    ("home", "path", "shown"),
    [
        ("/home/anna", "/home/anna/nanoGPT/train.py", "~/nanoGPT/train.py"),
        ("/home/anna", "/home/anna", "~"),
        ("/home/anna", "/home/annabel/x", "/home/annabel/x"),
        ("/", "/srv/x", "/srv/x"),
    ],
)
def test_the_home_directory_is_a_tilde(monkeypatch: pytest.MonkeyPatch, home: str, path: str, shown: str) -> None:
    monkeypatch.setenv("HOME", home)
    assert with_tilde(path) == shown


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ({}, "1 if the machine has any, with 2.5 GB free"),
        ({"gpus": 4}, "4, each with 2.5 GB free"),
        ({"gpus": 4, "limits": RunLimits(gpu_min_free_vram_bytes=20 * GIGABYTE)}, "4, each with 20 GB free"),
        ({"gpu_ids": ("2", "3"), "limits": RunLimits(gpu_min_free_vram_bytes=0)}, "2,3"),
        ({"gpus": 1, "gpu_ids": ("2", "3")}, "1 of 2,3, each with 2.5 GB free"),
        ({"gpus": 0}, "none"),
    ],
)
def test_a_waiting_run_says_which_gpus_it_asks_for(spec: dict[str, object], shown: str) -> None:
    values = {name: text for section in detail_sections(queued("a", spec=spec), NOW) for name, text in section.lines}
    assert values["GPUs"] == shown


def test_a_run_that_has_its_gpus_names_them_instead() -> None:
    lines = [line for section in detail_sections(running("a"), NOW) for line in section.lines]
    assert [name for name, _ in lines if name.startswith("GPU")] == ["GPU"]


def test_a_record_of_an_earlier_version_claims_no_gpus() -> None:
    record = queued("a", spec={"gpus": 4}).record
    assert record["requested_gpus"] == {"count": 4, "ids": [], "min_free_bytes": RunLimits().gpu_min_free_vram_bytes}
    old = {name: value for name, value in record.items() if name != "requested_gpus"}
    assert checked("a", old)["requested_gpus"] is None
