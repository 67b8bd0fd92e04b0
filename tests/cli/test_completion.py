"""Completion scripts are what their shells understand, and complete commands, options, choices and runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from backprop_tui.cli.parser import COMMANDS
from tests.support.commands import Commands


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_with_every_command(obey: Commands, tmp_path: Path, shell: str) -> None:
    result = obey("completion", shell)
    assert result.code == 0
    assert all(name in result.out for name in COMMANDS)
    assert "backprop-tui list --handles" in result.out
    if shutil.which(shell) is None:
        return  # only its content could be looked at
    script = tmp_path / "completion"
    script.write_text(result.out)
    checked = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_bash_completes_a_partial_word(obey: Commands, tmp_path: Path) -> None:
    script = tmp_path / "completion"
    script.write_text(obey("completion", "bash").out)

    def completed(*words: str) -> list[str]:
        typed = " ".join(f"'{word}'" for word in ("backprop-tui", *words))
        asked = (
            f". {script}; COMP_WORDS=({typed}); COMP_CWORD={len(words)}; _shtab_backprop_tui; echo ${{COMPREPLY[@]}}"
        )
        finished = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
        return finished.stdout.split()

    assert completed("com") == ["compare", "completion"]
    assert completed("list", "--st") == ["--status"]
    assert completed("queue", "re") == ["release"]
    assert completed("export", "--format", "c") == ["csv"]


def test_other_shells_are_refused_by_name(obey: Commands) -> None:
    result = obey("completion", "ksh")
    assert result.code == 2
    assert "'bash', 'zsh', 'fish'" in result.err
