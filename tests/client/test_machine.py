"""The machine measured by a front end's own sampler."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backprop_tui.client.machine import OwnSampler
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
