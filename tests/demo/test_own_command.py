"""The command line of this program works wherever the package is, without environment variables."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from backprop_tui.demo.driver import own_command


def test_it_works_from_any_location_and_ignores_modules_of_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "argparse.py").write_text("raise SystemExit('the wrong one')")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.run(
        own_command("--version"), cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert process.stdout.startswith("backprop-tui ")
