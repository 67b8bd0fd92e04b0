"""Whose files are used."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from backprop_tui.processes.users import ROOT, other_owner


def test_what_belongs_to_another_user_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    path = str(tmp_path / "file")
    assert other_owner(path, 4711, as_folder=False) is None
    assert other_owner(path, ROOT, as_folder=False) is None
    assert other_owner(path, 4712, as_folder=True) == "belongs to uid 4712"


def test_it_is_ours_where_everything_belongs_to_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "stat", lambda _path: SimpleNamespace(st_uid=4712))
    assert other_owner(str(tmp_path / "file"), 4712, as_folder=True) is None
    assert other_owner(str(tmp_path / "file"), 4712, as_folder=False) == "belongs to uid 4712"
