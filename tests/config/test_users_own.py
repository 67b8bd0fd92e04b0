"""Settings that a project's file may not set."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.config.errors import ConfigError
from backprop_tui.config.load import Settings, load


def loaded(tmp_path: Path, **environment: str) -> Settings:
    return load(options={}, environment=environment, directory=str(tmp_path), user_file=str(tmp_path / "config.toml"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("backprop.toml", '[notify]\ncommand = "sh -c evil"\n'),
        ("backprop.config.json", '{"notify": {"command": "sh -c evil"}}'),
    ],
)
def test_a_command_of_a_project_is_refused_with_file_and_advice(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path)
    assert str(tmp_path / name) in str(refused.value)
    assert "notify.command may only be set in the user's config.toml" in str(refused.value)


def test_the_user_file_and_the_environment_may_set_one(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[notify]\ncommand = "mine"\n')
    assert loaded(tmp_path)["notify.command"] == "mine"
    assert loaded(tmp_path, BACKPROP_NOTIFY_COMMAND="other")["notify.command"] == "other"


def test_other_notify_settings_may_be_set_by_a_project(tmp_path: Path) -> None:
    (tmp_path / "backprop.toml").write_text("[notify]\nbell = false\n")
    assert loaded(tmp_path)["notify.bell"] is False
