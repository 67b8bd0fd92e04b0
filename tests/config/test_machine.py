"""What the supervisor takes from the user's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.config.errors import ConfigError
from backprop_tui.config.machine import machine_limits, machine_probe
from backprop_tui.domain.limits import MachineLimits


def test_without_a_file_the_limits_are_the_defaults_of_the_domain(tmp_path: Path) -> None:
    assert machine_limits(str(tmp_path / "none.toml")) == MachineLimits()
    assert machine_probe(str(tmp_path / "none.toml")) == "auto"


def test_the_users_file_sets_the_limits_of_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("max_parallel = 0\n[governor]\nstart_burst = 9\nstarts_per_minute = 0.5\n[gpu]\nprobe = 'none'\n")
    assert machine_limits(str(path)) == MachineLimits(max_parallel=0, start_burst=9, starts_per_minute=0.5)
    assert machine_probe(str(path)) == "none"


def test_a_wrong_file_is_an_error_and_no_default(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("max_parallel = -1")
    with pytest.raises(ConfigError, match="max_parallel = -1"):
        machine_limits(str(path))
