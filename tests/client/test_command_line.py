"""What a run executes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from backprop_tui.client.command_line import command_program, script_program
from backprop_tui.client.interpreters import Interpreter
from backprop_tui.domain.errors import NotFound, UsageError

PYTHON = Interpreter(path=sys.executable, origin="--python")
PATH = {"PATH": os.defpath}


def _written(path: Path, content: str = "", mode: int = 0o644) -> str:
    path.write_text(content)
    path.chmod(mode)
    return str(path)


def test_a_python_script_is_run_by_its_interpreter(workplace: Path) -> None:
    script = _written(workplace / "train.py", "print()", 0o755)
    program = script_program("train.py", ["--lr", "3"], cwd=os.getcwd(), python=PYTHON, environment=PATH)
    assert program.words == (sys.executable, script)
    assert (program.arguments, program.name, program.script) == (("--lr", "3"), "train", script)


def test_the_flags_of_the_original_that_a_script_mentions_are_known(workplace: Path) -> None:
    _written(workplace / "train.py", "parser.add_argument('--resume-from')")
    assert script_program("train.py", (), cwd=os.getcwd(), python=PYTHON, environment=PATH).understood_flags == (
        "--resume-from",
    )


def test_an_executable_file_is_run_by_itself(workplace: Path) -> None:
    script = _written(workplace / "job", "#!/bin/sh\n", 0o755)
    program = script_program("job", (), cwd=os.getcwd(), python=None, environment=PATH)
    assert program.words == (script,)
    assert program.interpreter is None


@pytest.mark.parametrize(
    ("content", "mode", "before"), [("echo", 0o644, ("bash",)), ("echo", 0o755, ("bash",)), ("#!/bin/sh\n", 0o755, ())]
)
def test_a_shell_script_that_cannot_run_by_itself_is_run_by_bash(
    workplace: Path, content: str, mode: int, before: tuple[str, ...]
) -> None:
    script = _written(workplace / "job.sh", content, mode)
    words = script_program("job.sh", (), cwd=os.getcwd(), python=None, environment=PATH).words
    assert words == (*before, script)


def test_a_missing_script_is_refused_with_the_nearest_name(workplace: Path) -> None:
    _written(workplace / "train.py")
    with pytest.raises(NotFound, match=r"trian\.py: not found; did you mean train\.py\?"):
        script_program("trian.py", (), cwd=os.getcwd(), python=PYTHON, environment=PATH)
    with pytest.raises(NotFound, match=r"train: not found; did you mean train\.py\?"):
        script_program("train", (), cwd=os.getcwd(), python=PYTHON, environment=PATH)
    with pytest.raises(NotFound, match=r"nothing\.py: not found; there is no such file"):
        script_program("nothing.py", (), cwd=os.getcwd(), python=PYTHON, environment=PATH)


@pytest.mark.parametrize("script", ["nothing/like.this", "folder", "notes.txt"])
def test_a_file_that_cannot_be_run_is_refused(workplace: Path, script: str) -> None:
    (workplace / "folder").mkdir()
    _written(workplace / "notes.txt")
    with pytest.raises(NotFound, match=script):
        script_program(script, (), cwd=os.getcwd(), python=PYTHON, environment=PATH)


def test_a_command_line_is_kept_unchanged(workplace: Path) -> None:
    program = command_program(["sh", "-c", "exit 3"], cwd=str(workplace), environment=PATH)
    assert (program.words, program.arguments, program.script) == (("sh",), ("-c", "exit 3"), None)


def test_a_command_line_is_named_after_the_script_in_it(workplace: Path) -> None:
    assert command_program(["sh", "src/fit.py"], cwd=str(workplace), environment=PATH).name == "fit"
    assert command_program(["/bin/sh", "-c", "make x"], cwd=str(workplace), environment=PATH).name == "make"


@pytest.mark.parametrize(("scripts", "meant"), [(["train.py"], "train.py"), (["train.py", "trace.sh"], "tar")])
def test_the_only_script_here_that_begins_like_an_unknown_command_is_nearer_than_a_program(
    workplace: Path, scripts: list[str], meant: str
) -> None:
    for name in scripts:
        _written(workplace / name, "")
    _written(workplace / "tra.txt", "")
    tools = workplace / "tools"
    tools.mkdir()
    _written(tools / "tar", "", 0o755)
    with pytest.raises(NotFound, match=rf"tra: not on PATH; did you mean {meant}\?"):
        command_program(["tra"], cwd=str(workplace), environment={"PATH": str(tools)})


def test_an_unknown_command_is_refused_with_the_nearest_name(workplace: Path) -> None:
    tools = workplace / "tools"
    tools.mkdir()
    _written(tools / "torchrun", "", 0o755)
    with pytest.raises(NotFound, match=r"torchrum: not on PATH; did you mean torchrun\?"):
        command_program(["torchrum"], cwd=str(workplace), environment={"PATH": str(tools)})
    with pytest.raises(NotFound, match=r"did you mean tools/torchrun\?"):
        command_program(["tools/torchrum"], cwd=str(workplace), environment=PATH)


def test_a_relative_command_starts_at_the_runs_directory(workplace: Path) -> None:
    (workplace / "inner").mkdir()
    _written(workplace / "inner/go", "", 0o755)
    assert command_program(["./go"], cwd=str(workplace / "inner"), environment=PATH).words == ("./go",)
    with pytest.raises(NotFound):
        command_program(["./go"], cwd=str(workplace), environment=PATH)


def test_an_empty_command_line_is_a_usage_error(workplace: Path) -> None:
    with pytest.raises(UsageError):
        command_program([], cwd=str(workplace), environment=PATH)


def test_a_notebook_is_refused_with_the_commands_that_run_it(workplace: Path) -> None:
    _written(workplace / "fine tune.ipynb", "{}", 0o755)
    with pytest.raises(NotFound) as refusal:
        script_program("fine tune.ipynb", (), cwd=os.getcwd(), python=None, environment=PATH)
    hint = refusal.value.hint or ""
    with pytest.raises(NotFound, match="a notebook"):
        command_program([sys.executable, "-u", "fine tune.ipynb"], cwd=os.getcwd(), environment=PATH)
    assert "nbconvert --to script 'fine tune.ipynb' converts it, then: backprop-tui run 'fine tune.py'" in hint
    assert "backprop-tui run -- jupyter execute --inplace 'fine tune.ipynb'" in hint


@pytest.mark.parametrize(
    ("script", "line"), [("pkg.train", "python3 -m pkg.train"), ("pkg", "python3 pkg"), ("./pkg", "python3 ./pkg")]
)
def test_a_module_or_package_comes_with_the_line_to_type(workplace: Path, script: str, line: str) -> None:
    (workplace / "pkg").mkdir()
    _written(workplace / "pkg/__main__.py")
    _written(workplace / "pkg/train.py")
    with pytest.raises(NotFound) as refusal:
        script_program(script, (), cwd=os.getcwd(), python=PYTHON, environment=PATH)
    assert refusal.value.hint == f"backprop-tui run -- {line}"
