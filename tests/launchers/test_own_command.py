"""Commands that processes of ours give: found wherever the package lies, and without a trace in what they queue."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from backprop_tui.launchers.own_command import own_command


def test_it_works_without_being_on_any_path_and_ignores_modules_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "argparse.py").write_text("raise SystemExit('the wrong one')")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        own_command("--version"), cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("backprop-tui ")
