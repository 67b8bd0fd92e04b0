"""Details of a run: paths with a tilde."""

from __future__ import annotations

import pytest

from backprop_tui.presentation.run_details import with_tilde


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
