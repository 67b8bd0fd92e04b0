"""An installation without the packages that it needs says so in one sentence, before it asks the terminal anything."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from backprop_tui import TESTED_TEXTUAL
from backprop_tui.cli import packages
from backprop_tui.cli.doctor import Level
from backprop_tui.cli.doctor.machine import check_packages

ROOT = Path(__file__).parents[2]
REQUIRED = ["textual<8.3,>=8.2.8", "tomli-w>=1.0", "pytest<9,>=8.4; extra == 'dev'"]


def _without(monkeypatch: pytest.MonkeyPatch, *missing: str, textual: str = TESTED_TEXTUAL) -> None:
    """An environment of other packages."""

    def version(name: str) -> str:
        if name in missing:
            raise metadata.PackageNotFoundError(name)
        return textual

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "requires", lambda _: REQUIRED)


def test_the_dashboard_without_textual_is_one_sentence() -> None:
    ours, theirs = os.openpty()
    # -S: without site-packages, thus without Textual.
    program = [sys.executable, "-S", "-m", "backprop_tui"]
    environment = dict(os.environ) | {"PYTHONPATH": str(ROOT), "TERM": "xterm"}
    finished = subprocess.run(
        program, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=environment, text=True, check=False
    )
    os.close(theirs)
    assert finished.returncode == 70
    assert "no module textual in " in finished.stderr
    assert "pip install" in finished.stderr
    assert finished.stderr.count("\n") == 1
    os.set_blocking(ours, False)
    with pytest.raises(OSError, match=r"Input/output error|temporarily"):  # nothing was written to the terminal
        os.read(ours, 100)
    os.close(ours)


def test_the_advice_installs_all_that_is_missing_for_use(monkeypatch: pytest.MonkeyPatch) -> None:
    _without(monkeypatch, "textual", "tomli-w", "pytest")
    error = packages.missing_package("tomli_w")
    assert error.message == f"no module tomli_w in {sys.executable}"
    assert (error.hint or "").endswith("pip install 'textual<8.3,>=8.2.8' 'tomli-w>=1.0'")


def test_the_advice_for_an_environment_without_pip_is_that_of_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda _: None)
    assert packages.install_command(["rich"]) == f"uv pip install --python {sys.executable} rich"


def test_doctor_names_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    _without(monkeypatch, "textual")
    [finding] = check_packages()
    assert finding.level is Level.WARN
    assert "textual<8.3,>=8.2.8" in finding.message
    assert "pip install" in (finding.advice or "")


def test_doctor_says_whether_textual_is_the_tested_version(monkeypatch: pytest.MonkeyPatch) -> None:
    _without(monkeypatch)
    [finding] = check_packages()
    assert (finding.check, finding.level, finding.message) == ("textual", Level.OK, TESTED_TEXTUAL)
    _without(monkeypatch, textual="8.2.9")
    [finding] = check_packages()
    assert (finding.level, finding.advice) == (Level.OK, None)
    assert finding.message == f"8.2.9: not the version that the tests ran with ({TESTED_TEXTUAL})"
