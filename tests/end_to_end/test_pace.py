"""Short runs do not wait for the pace of starts, whatever it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import kill_processes_of_store
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
SECONDS = 45.0  # at the pace of one start a minute, it would be minutes
Typed = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def typed(home: Path) -> Iterator[Typed]:
    """Types a command, with the default settings; only the load of other tests must not hold runs."""
    config = home / "config/backprop/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[governor]\nmax_load_per_core = 0\n")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "backprop_tui", "--no-ui", *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            command, cwd=home, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    yield run
    kill_processes_of_store(str(home))


def test_a_sweep_of_short_runs_fills_the_machine(typed: Typed) -> None:
    began = time.monotonic()
    second = (sys.executable, "-S", "-c", "import time; time.sleep(1)")
    assert typed("run", "-d", "--sweep", "seed=1..12", "--", *second).returncode == 0
    assert typed("wait", "--all").returncode == 0
    assert time.monotonic() - began < SECONDS
    runs = json.loads(typed("list", "--all", "--json").stdout)
    assert [run["status"] for run in runs] == ["completed"] * 12


def test_run_crash_fix_run_never_waits(typed: Typed) -> None:
    for _ in range(6):
        crashed = typed("run", "--", sys.executable, "-S", "-c", "raise SystemExit(3)")
        assert crashed.returncode == 3
        assert "start limit" not in crashed.stderr


def test_a_run_held_by_a_threshold_starts_when_it_is_given_another(typed: Typed, home: Path) -> None:
    config = home / "config/backprop/config.toml"
    config.write_text("[governor]\nmax_load_per_core = 0.0000001\n")
    run_id = typed("run", "-d", "--", sys.executable, "-S", "-c", "print('trained')").stdout.strip()
    record: dict[str, Any] = {}

    def is_held() -> bool:
        record.update(json.loads(typed("status", run_id, "--json").stdout))
        return bool(record["hold_reasons"])

    wait_until(is_held, "held by the load", seconds=SECONDS)
    advice = next(line for line in typed("status", run_id).stdout.splitlines() if "backprop-tui edit" in line)
    command = advice.partition("backprop-tui ")[2]
    assert command == f"edit {run_id} --max-load 0"
    assert typed(*command.split()).returncode == 0
    assert typed("wait", run_id).returncode == 0
