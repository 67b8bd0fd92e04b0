"""What new users meet around their commands: wrong settings, directories that cannot be written, a full disk."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from backprop_tui.cli.session import Session
from tests.first_hour.conftest import Refuses
from tests.support.commands import Commands

RUN = ("run", "-d", "train.py")


class Setting(NamedTuple):
    """What is wrong with the settings, and what the message and the hint contain."""

    message: str
    hint: str
    files: Mapping[str, str] = {}
    variables: Mapping[str, str] = {}


SETTINGS = {
    "unknown key": Setting("backprop.toml:2: unknown key 'zzz'", "config show", {"backprop.toml": "\nzzz = 1\n"}),
    "misspelled key": Setting(
        "backprop.toml:1: unknown key 'max_paralel'", "did you mean 'max_parallel'?", {"backprop.toml": "max_paralel=1"}
    ),
    "key without its table": Setting(
        "backprop.toml:1: unknown key 'max_temp_c'", "'gpu.max_temp_c'", {"backprop.toml": "max_temp_c = 1"}
    ),
    "unknown table": Setting("backprop.toml:1: unknown key 'gpus'", "'gpu", {"backprop.toml": "[gpus]\nx = 1"}),
    "a table as a key": Setting("backprop.toml:1: gpu is a table", "below a line [gpu]", {"backprop.toml": "gpu = 1"}),
    "wrong type": Setting(
        "backprop.toml:1: max_run_minutes = 'ten'", "config check", {"backprop.toml": "max_run_minutes = 'ten'"}
    ),
    "not TOML": Setting("backprop.toml:2: not valid TOML", "config check", {"backprop.toml": "\n[gpu\n"}),
    "defined twice": Setting(
        "backprop.toml:2: not valid TOML", "defined twice", {"backprop.toml": "max_parallel=1\nmax_parallel=2"}
    ),
    "not JSON": Setting(".backprop.json:1: not valid JSON", "config check", {".backprop.json": "{"}),
    "not an object": Setting("must be a JSON object", "config check", {".backprop.json": "[]"}),
    "one setting twice": Setting(
        "sets the same as", "keep one of the two", {".backprop.json": '{"minFreeRamGB": 1, "minFreeRam": 2}'}
    ),
    "variable": Setting(
        "environment BACKPROP_MAX_RUN_MINUTES: max_run_minutes = 'x'",
        "config check",
        variables={"BACKPROP_MAX_RUN_MINUTES": "x"},
    ),
}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_a_wrong_setting_is_named_with_its_place(
    refuses: Refuses, workplace: Path, monkeypatch: pytest.MonkeyPatch, setting: Setting
) -> None:
    for name, content in setting.files.items():
        (workplace / name).write_text(content)
    for name, value in setting.variables.items():
        monkeypatch.setenv(name, value)
    refusal = refuses(*RUN)
    assert (refusal.kind, refusal.code) == ("configuration", 2)
    assert setting.message in refusal.message
    assert setting.hint in (refusal.hint or "")


def test_settings_of_the_original_tool_are_understood(obey: Commands, workplace: Path) -> None:
    (workplace / "backprop.config.json").write_text('{"maxParallel": 1, "maxRunMinutes": 3}')
    assert obey.json("config", "show", "max_run_minutes")["max_run_minutes"]["value"] == 3.0


@pytest.mark.parametrize("directory", ["/proc/backprop", "notes/store"])
def test_a_state_directory_that_cannot_be_made_names_another_way(
    refuses: Refuses, monkeypatch: pytest.MonkeyPatch, directory: str
) -> None:
    monkeypatch.setenv("BACKPROP_HOME", directory)
    refusal = refuses(*RUN)
    assert (refusal.kind, refusal.code) == ("state_unavailable", 73)
    assert refusal.hint == "set BACKPROP_HOME to a directory you can write"


def test_a_configuration_directory_that_cannot_be_written_names_another_way(
    refuses: Refuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/proc")  # read-only, even for root
    for command in (("config", "init"), ("config", "set", "max_parallel", "3")):
        assert "set XDG_CONFIG_HOME to a directory you can write" in (refuses(*command).hint or "")


def test_a_full_disk_names_the_place_the_free_space_and_what_to_do(
    refuses: Refuses, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    refusal = refuses(*RUN)
    assert (refusal.kind, refusal.code) == ("storage", 74)
    assert session.home.root in refusal.message
    assert "free" in (refusal.hint or "")
    assert "backprop-tui clean --older-than 30d" in (refusal.hint or "")


def test_a_removed_directory_is_named(refuses: Refuses, workplace: Path) -> None:
    gone = workplace / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert refuses(*RUN).hint == "go to another one: cd"


def test_output_that_cannot_be_written_is_named(obey: Commands) -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "backprop_tui", "list", "--json"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert ended.returncode == 74
    assert ended.stderr.startswith("backprop-tui: standard output: No space left on device; ")
    assert ended.stderr.count("\n") == 1
