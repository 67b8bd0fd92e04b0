"""What a run executes, and which Python runs a script."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from backprop_tui.client.command_line import (
    Interpreter,
    asked_interpreter,
    command_program,
    default_interpreter,
    script_program,
)
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


def _executable(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def script(tmp_path: Path) -> str:
    (tmp_path / "project/deep").mkdir(parents=True)
    return str(tmp_path / "project/deep/train.py")


def test_the_active_environment_comes_before_a_venv_beside_the_script(tmp_path: Path, script: str) -> None:
    active = _executable(tmp_path / "active/bin/python")
    _executable(tmp_path / "project/.venv/bin/python")
    found = default_interpreter(script, {"VIRTUAL_ENV": str(tmp_path / "active")})
    assert (found.path, found.origin) == (active, "the active environment (VIRTUAL_ENV)")


def test_a_virtual_environment_inside_of_conda_is_the_active_one(tmp_path: Path, script: str) -> None:
    inner = _executable(tmp_path / "inner/bin/python")
    conda = _executable(tmp_path / "conda/bin/python")
    both = {"VIRTUAL_ENV": str(tmp_path / "inner"), "CONDA_PREFIX": str(tmp_path / "conda")}
    assert default_interpreter(script, both).path == inner
    assert default_interpreter(script, {"CONDA_PREFIX": str(tmp_path / "conda")}).path == conda


def test_an_environment_that_was_removed_does_not_count(tmp_path: Path, script: str) -> None:
    beside = _executable(tmp_path / "project/.venv/bin/python")
    assert default_interpreter(script, {"VIRTUAL_ENV": str(tmp_path / "gone")}).path == beside


def test_a_venv_is_found_upward_from_the_script(tmp_path: Path, script: str) -> None:
    far = _executable(tmp_path / ".venv/bin/python")
    assert default_interpreter(script, {}).path == far
    near = _executable(tmp_path / "project/.venv/bin/python")
    assert default_interpreter(script, {}).path == near


def test_the_default_is_python3_on_path(tmp_path: Path, script: str) -> None:
    on_path = _executable(tmp_path / "bin/python3")
    found = default_interpreter(script, {"PATH": f"{tmp_path}/nothing:{tmp_path}/bin"})
    assert (found.path, found.origin) == (on_path, "python3 on PATH")


def test_an_environment_made_for_this_program_alone_is_ignored(
    tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tmp_path / "tools/backprop-tui"
    _executable(ours / "bin/python3")
    monkeypatch.setattr(sys, "prefix", str(ours))
    theirs = _executable(tmp_path / "bin/python3")
    assert default_interpreter(script, {"PATH": f"{ours}/bin:{tmp_path}/bin"}).path == theirs
    with pytest.raises(NotFound, match="--python"):
        default_interpreter(script, {"PATH": f"{ours}/bin"})


def test_an_environment_used_for_training_counts_even_if_this_program_is_in_it(
    tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "opt/venv"
    python = _executable(shared / "bin/python3")
    monkeypatch.setattr(sys, "prefix", str(shared))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (shared / "lib" / version / "site-packages/numpy").mkdir(parents=True)
    assert default_interpreter(script, {"PATH": f"{shared}/bin"}).path == python


def test_the_interpreter_asked_for_may_be_a_path_a_directory_or_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = _executable(tmp_path / "env/bin/python")
    monkeypatch.chdir(tmp_path)
    assert asked_interpreter("env/bin/python", "--python", {}).path == python
    assert asked_interpreter("env", "--python", {}).path == python
    assert asked_interpreter("python", "--python", {"PATH": str(tmp_path / "env/bin")}).path == python


@pytest.mark.parametrize("asked", ["nowhere/python", "python9", "empty", "plain"])
def test_a_wrong_interpreter_is_refused_and_its_origin_named(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "plain").write_text("")
    with pytest.raises(UsageError, match="--python"):
        asked_interpreter(asked, "--python", {"PATH": os.defpath})
