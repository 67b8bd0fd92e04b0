"""State and settings use the paths of platformdirs, without importing it."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import pytest

from backprop_tui.client.session import state_directory
from backprop_tui.config.sources import APPLICATION, user_config_path


@pytest.mark.parametrize("value", [None, "", "  ", "/elsewhere", "relative/path"])
def test_the_user_folders_are_those_of_platformdirs(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BACKPROP_HOME")
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        if value is None:
            monkeypatch.delenv(variable)
        else:
            monkeypatch.setenv(variable, value)
    assert user_config_path() == str(Path(platformdirs.user_config_dir(APPLICATION)) / "config.toml")
    assert state_directory() == platformdirs.user_data_dir(APPLICATION)


def test_backprop_home_beats_the_originals_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".backprop").mkdir()
    monkeypatch.setenv("BACKPROP_HOME", "~/mine")
    assert state_directory() == str(home / "mine")


def test_an_existing_directory_of_the_original_is_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BACKPROP_HOME")
    (home / ".backprop").mkdir()
    assert state_directory() == str(home / ".backprop")


def test_a_user_without_a_home_gets_no_directory_named_with_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("BACKPROP_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # HOME is not set, and the user has no account
    assert state_directory() == "/nonexistent/.local/share/backprop"
    assert user_config_path() == "/nonexistent/.config/backprop/config.toml"
