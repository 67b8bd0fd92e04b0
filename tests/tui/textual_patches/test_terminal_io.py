"""Patches of Textual: each fits the version that is tested, and is left out where another one has changed."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tomllib
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import pytest

from backprop_tui import TESTED_TEXTUAL, tui
from backprop_tui.tui import textual_patches
from backprop_tui.tui.textual_patches import Patch, apply_patches

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"
# In a process of its own: in this one they may have been applied by an earlier test.
PRINT_UNFIT = """
from unittest import mock
from backprop_tui.tui.textual_patches import class_creation, input_thread, rendering, terminal_io
with mock.patch("backprop_tui.tui.textual_patches.apply_patches"):
    from backprop_tui.tui.textual_patches import command_palette
modules = (terminal_io, rendering, input_thread, class_creation, command_palette)
print([patch.name for module in modules for patch in module.PATCHES if not patch.fits()])
"""


class Driver:
    """A part of Textual, of which some methods are as the patches know them."""

    def same(self) -> str:
        return "original"

    def changed(self) -> str:
        return "original"


def replacement(_driver: Driver) -> str:
    return "patched"


def _patch(name: str, source: str, builds_on: tuple[str, ...] = ()) -> Patch:
    digest = sha256(source.encode()).hexdigest()
    return Patch(owner=Driver, name=name, replacement=replacement, builds_on=builds_on, sha256=digest)


def test_the_dev_extra_installs_the_tested_version() -> None:
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    assert f"textual=={TESTED_TEXTUAL}" in project["optional-dependencies"]["dev"]
    assert version("textual") == TESTED_TEXTUAL
    assert textual_patches._is_tested()


def test_every_patch_fits_the_tested_version() -> None:
    finished = subprocess.run([sys.executable, "-c", PRINT_UNFIT], capture_output=True, text=True, check=True)
    assert finished.stdout == "[]\n"


def test_an_untested_version_gets_only_the_patches_whose_source_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textual_patches, "TESTED_TEXTUAL", "0.0.1")
    monkeypatch.setattr(Driver, "same", Driver.same)  # restored at the end
    same = inspect.getsource(Driver.same)
    apply_patches([_patch("changed", "of another version"), _patch("same", same, ("changed",)), _patch("gone", same)])
    assert (Driver().same(), Driver().changed(), hasattr(Driver, "gone")) == ("original", "original", False)
    apply_patches([_patch("same", same)])
    assert (Driver().same(), Driver().changed()) == ("patched", "original")


def test_the_dashboard_opens_without_the_parts_that_are_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "backprop_tui.tui.textual_patches.terminal_io", None)
    monkeypatch.delattr(textual_patches, "terminal_io", raising=False)
    tui._patch_textual(b"")
