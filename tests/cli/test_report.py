"""`report` says where the module for training scripts is, and copies it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from backprop_tui import report
from tests.support.commands import Commands


def test_the_path_is_that_of_the_module(obey: Commands) -> None:
    assert obey("report").out == f"{report.__file__}\n"
    assert obey.json("report") == {"path": report.__file__}


def test_a_copy_works_without_the_package(obey: Commands, tmp_path: Path) -> None:
    copied = tmp_path / "backprop_report.py"
    assert obey("report", str(tmp_path)).out == f"{copied}\n"
    script = "import backprop_report as report; report.step(1); print(report.resume_from())"
    finished = subprocess.run([sys.executable, "-S", "-c", script], cwd=tmp_path, capture_output=True, check=False)
    assert (finished.returncode, finished.stdout) == (0, b"None\n")


def test_an_older_copy_is_replaced(obey: Commands, tmp_path: Path) -> None:
    copied = tmp_path / "backprop_report.py"
    source = Path(report.__file__).read_text()
    copied.write_text(source.partition("\n")[0] + "\n")
    assert obey("report", str(tmp_path)).code == 0
    assert copied.read_text() == source


def test_another_file_is_kept(obey: Commands, tmp_path: Path) -> None:
    other = tmp_path / "backprop_report.py"
    other.write_text("mine = 1\n")
    result = obey("report", str(tmp_path))
    assert (result.code, other.read_text()) == (2, "mine = 1\n")
    assert f"{other} exists" in result.err


def test_a_missing_directory_is_named(obey: Commands, tmp_path: Path) -> None:
    result = obey("report", str(tmp_path / "nowhere"))
    assert result.code == 2
    assert f"mkdir -p {tmp_path / 'nowhere'}" in result.err


def test_a_dry_run_writes_nothing(obey: Commands, tmp_path: Path) -> None:
    assert obey("--dry-run", "report", str(tmp_path)).code == 0
    assert list(tmp_path.iterdir()) == []
