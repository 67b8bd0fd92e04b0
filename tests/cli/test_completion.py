"""Completion scripts and the manual page are what shells and man understand, and are installed where they look."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from backprop_tui.cli.commands import completion
from backprop_tui.cli.exit_codes import MEANINGS
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


def test_the_manual_has_every_command_and_option(obey: Commands) -> None:
    page = obey("completion", "man").out.replace("\\-", "-")
    assert all(f'.SS "{name}"' in page for name in (*COMMANDS, "queue move", "config set"))
    assert all(option in page for option in ("--total-minutes", "--older-than", "--dry-run", "-m "))
    assert page.count("work without the dashboard") == 1  # the global options are described once


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_groff_has_no_complaint_about_the_manual(obey: Commands) -> None:
    page = obey("completion", "man").out
    command = ["groff", "-man", "-ww", "-Tascii", "-P-c"]
    formatted = subprocess.run(command, input=page, capture_output=True, text=True, check=True)
    assert formatted.stderr == ""
    assert "queue, supervise and watch training runs" in formatted.stdout
    assert "--resume={path}" in formatted.stdout.replace("\n", "")


def test_the_exit_codes_of_the_manual_are_those_of_the_docs() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    table = docs.partition("| code | meaning |\n|---|---|\n")[2].partition("\n\n")[0]
    assert dict(line.strip("| ").split(" | ") for line in table.splitlines()) == MEANINGS


@pytest.fixture
def shells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with bash, zsh and fish."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bash", "zsh", "fish"):
        (programs / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(programs))


@pytest.mark.usefixtures("shells")
def test_all_are_installed_where_programs_look(obey: Commands, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "_BASH_COMPLETION", (str(home / "missing"),))
    data, config = home / "data", home / "config"
    paths = [
        data / "bash-completion" / "completions" / "backprop-tui",
        data / "zsh" / "site-functions" / "_backprop-tui",
        config / "fish" / "completions" / "backprop-tui.fish",
        data / "man" / "man1" / "backprop-tui.1",
    ]
    would = obey("completion", "install", "--dry-run")
    assert not any(path.exists() for path in paths)
    result = obey("completion", "install")
    assert result.lines == would.lines == [str(path) for path in paths]
    assert [path.read_text() for path in paths] == [
        obey("completion", what).out for what in ("bash", "zsh", "fish", "man")
    ]
    steps = result.err.splitlines()
    assert steps[0].startswith("bash: the package bash-completion is missing")
    assert steps[1:] == [
        "  sudo apt install bash-completion",
        "zsh: add this to ~/.zshrc, before compinit:",
        f"  fpath+=({data}/zsh/site-functions)",
        "man: add this to ~/.profile:",
        f'  export MANPATH="{data}/man:$MANPATH"',
        "written; new shells complete backprop-tui, after the steps above",
        "to remove them: backprop-tui completion uninstall",
    ]
    assert obey.json("completion", "install") == {"files": result.lines, "written": True}
    assert set(obey("completion", "uninstall", "--dry-run").lines) == set(result.lines)
    assert all(path.exists() for path in paths)
    assert set(obey("completion", "uninstall").lines) == set(result.lines)
    assert not any(path.exists() for path in paths)
    assert obey("completion", "uninstall").err == "not installed\n"


@pytest.mark.usefixtures("shells")
def test_a_home_that_cannot_be_written_is_named(obey: Commands, home: Path) -> None:
    (home / "data").write_text("")
    result = obey("completion", "install")
    assert result.code == 74
    assert str(home / "data") in result.err
