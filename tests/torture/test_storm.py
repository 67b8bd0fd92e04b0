"""A storm with everything in it: nothing is lost, nothing happens twice, nothing is left, and no GPU has two runs.

`pytest tests/torture/test_storm.py --rounds 100 --seed 7 -n 2` lets loose a hundred, seeds 7 to 106.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.gpus import Gpus
from tests.support.sandbox import HOST, Sandbox
from tests.torture.storm import GPUS, Storm

_CONFIG = """\
max_parallel = 8
min_free_ram_gb = 0
[gpu]
probe = "nvml"
[governor]
starts_per_minute = 0
max_load_per_core = 0
min_free_disk_gb = 0
sample_seconds = 0.2
"""


@pytest.mark.timeout(400)  # a busy machine
def test_nothing_is_lost_or_done_twice_in_a_storm(home: Path, monkeypatch: pytest.MonkeyPatch, storm_seed: int) -> None:
    monkeypatch.setenv("BACKPROP_HOST", HOST)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    sandbox, gpus = Sandbox(str(home)), Gpus(str(home), GPUS)
    gpus.install(monkeypatch)
    Path(sandbox.config_path).write_text(_CONFIG)
    storm = Storm(sandbox, gpus, storm_seed)
    try:
        storm.rage()
        storm.settle()
        problems = storm.judge()
        assert not problems, "\n".join([*problems, *storm.log, sandbox.describe_store()])
    finally:
        storm.end()
        sandbox.close()
