"""The supervisor's settings from the user's file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import backprop_tui
from backprop_tui.config.errors import ConfigError
from backprop_tui.config.load import machine_limits, machine_probe
from backprop_tui.domain.limits import MachineLimits


def test_without_a_file_the_limits_are_the_defaults_of_the_domain(tmp_path: Path) -> None:
    assert machine_limits(str(tmp_path / "none.toml")) == MachineLimits()
    assert machine_probe(str(tmp_path / "none.toml")) == "auto"


def test_the_users_file_sets_the_limits_of_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("max_parallel = 0\n[governor]\nstart_burst = 9\nstarts_per_minute = 0.5\n[gpu]\nprobe = 'none'\n")
    assert machine_limits(str(path)) == MachineLimits(max_parallel=0, start_burst=9, starts_per_minute=0.5)
    assert machine_probe(str(path)) == "none"


def test_a_file_with_errors_does_not_fall_back_to_defaults(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("max_parallel = -1")
    with pytest.raises(ConfigError, match="max_parallel = -1"):
        machine_limits(str(path))


@pytest.mark.parametrize("content", [f"max_parallel = {'9' * 5000}", f"max_parallel = {'[' * 5000}"])
def test_no_file_raises_what_the_supervisor_does_not_expect(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(content)
    with pytest.raises(ConfigError):
        machine_limits(str(path))


def test_without_a_file_no_parser_is_loaded_and_nothing_beyond_the_standard_library(tmp_path: Path) -> None:
    program = """
import sys
sys.path.insert(0, sys.argv[1])
from backprop_tui.config.load import machine_limits
machine_limits(sys.argv[2])
print(sorted(sys.modules.keys() & {"json", "tomllib", "tomli_w", "platformdirs", "difflib", "pathlib"}))
"""
    root, absent = str(Path(backprop_tui.__file__).parent.parent), str(tmp_path / "none.toml")
    command = [sys.executable, "-I", "-S", "-c", program, root, absent]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
