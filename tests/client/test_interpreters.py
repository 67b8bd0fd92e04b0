"""Which Python runs a script."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from pathlib import Path

import pytest

from backprop_tui.client.interpreters import asked_interpreter, default_interpreter, interpreter_advice
from backprop_tui.domain.errors import NotFound, UsageError


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
    chosen = default_interpreter(script, {"VIRTUAL_ENV": str(tmp_path / "active")})
    assert (chosen.path, chosen.origin) == (active, "the active environment (VIRTUAL_ENV)")


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
    chosen = default_interpreter(script, {"PATH": f"{tmp_path}/nothing:{tmp_path}/bin"})
    assert (chosen.path, chosen.origin) == (on_path, "from PATH")


def test_an_environment_made_for_this_program_alone_is_ignored(
    tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tmp_path / "tools/backprop-tui"
    _executable(ours / "bin/python3")
    monkeypatch.setattr(sys, "prefix", str(ours))
    theirs = _executable(tmp_path / "bin/python3")
    chosen = default_interpreter(script, {"PATH": f"{ours}/bin:{tmp_path}/bin"})
    assert (chosen.path, chosen.origin) == (theirs, "from PATH, without backprop-tui's own environment")
    assert default_interpreter(script, {"PATH": f"{tmp_path}/bin:{ours}/bin"}).origin == "from PATH"
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


@pytest.mark.parametrize(
    "variables",
    [{"CONDA_DEFAULT_ENV": "base"}, {"CONDA_EXE": "{conda}/bin/conda"}, {"MAMBA_ROOT_PREFIX": "{conda}"}],
)
def test_the_base_environment_of_conda_counts_least(tmp_path: Path, script: str, variables: dict[str, str]) -> None:
    conda = tmp_path / "miniforge3"
    _executable(conda / "bin/python")
    in_base = _executable(conda / "bin/python3")
    environment = {name: value.format(conda=conda) for name, value in variables.items()}
    environment |= {"CONDA_PREFIX": str(conda), "PATH": f"{conda}/bin"}
    chosen = default_interpreter(script, environment)
    assert (chosen.path, chosen.origin) == (in_base, "from PATH, in conda's base environment")
    without_path = default_interpreter(script, {**environment, "PATH": "/nowhere"})
    assert (without_path.path, without_path.origin) == (f"{conda}/bin/python", "conda's base environment")
    ahead = _executable(tmp_path / "ahead/bin/python3")
    assert default_interpreter(script, {**environment, "PATH": f"{tmp_path}/ahead/bin:{conda}/bin"}).path == ahead
    beside = _executable(tmp_path / "project/.venv/bin/python")
    assert default_interpreter(script, environment).path == beside


def test_a_named_conda_environment_is_an_active_one(tmp_path: Path, script: str) -> None:
    named = _executable(tmp_path / "miniforge3/envs/ml/bin/python")
    _executable(tmp_path / "project/.venv/bin/python")
    environment = {
        "CONDA_PREFIX": str(tmp_path / "miniforge3/envs/ml"),
        "CONDA_DEFAULT_ENV": "ml",
        "CONDA_EXE": str(tmp_path / "miniforge3/bin/conda"),
    }
    assert default_interpreter(script, environment).path == named


@pytest.mark.parametrize("name", ["venv", ".pixi/envs/default", ".conda"])
def test_an_environment_in_the_project_may_have_other_names(tmp_path: Path, script: str, name: str) -> None:
    python = _executable(tmp_path / "project" / name / "bin/python")
    assert default_interpreter(script, {}).path == python
    first = _executable(tmp_path / "project/.venv/bin/python")
    assert default_interpreter(script, {}).path == first


def _poetry_environments(tmp_path: Path, *versions: str) -> list[str]:
    project = tmp_path / "project"
    (project / "poetry.lock").write_text("")
    digest = base64.urlsafe_b64encode(hashlib.sha256(str(project.resolve()).encode()).digest()).decode()[:8]
    folder = tmp_path / "home/.cache/pypoetry/virtualenvs"
    _executable(folder / "project-AAAAAAAA-py3.12/bin/python")
    return [_executable(folder / f"project-{digest}-py{version}/bin/python") for version in versions]


def test_the_environment_that_poetry_keeps_in_its_cache_is_used(tmp_path: Path, script: str) -> None:
    (python,) = _poetry_environments(tmp_path, "3.12")
    chosen = default_interpreter(script, {"HOME": str(tmp_path / "home")})
    assert (chosen.path, chosen.origin) == (python, f"Poetry's environment of {tmp_path}/project")


def test_of_several_environments_of_poetry_none_is_guessed(tmp_path: Path, script: str) -> None:
    _poetry_environments(tmp_path, "3.11", "3.12")
    on_path = _executable(tmp_path / "bin/python3")
    chosen = default_interpreter(script, {"HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "bin")})
    assert chosen.path == on_path
    advice = interpreter_advice(script, ("--lr", "1e-3"), chosen) or ""
    assert f"so it runs with {on_path} (from PATH)" in advice
    assert advice.endswith(f"backprop-tui run -- poetry run python {script} --lr 1e-3")


def test_a_uv_project_without_environment_comes_with_the_line_to_type(tmp_path: Path, script: str) -> None:
    _executable(tmp_path / "bin/python3")
    path = {"PATH": str(tmp_path / "bin")}
    assert interpreter_advice(script, (), default_interpreter(script, path)) is None
    (tmp_path / "project/uv.lock").write_text("")
    advice = interpreter_advice(script, (), default_interpreter(script, path)) or ""
    assert f"backprop-tui run -- uv run python {script}" in advice
    _executable(tmp_path / "active/bin/python")
    active = default_interpreter(script, {**path, "VIRTUAL_ENV": str(tmp_path / "active")})
    assert interpreter_advice(script, (), active) is None


def test_an_environment_whose_python_was_removed_is_named(tmp_path: Path, script: str) -> None:
    _executable(tmp_path / "bin/python3")
    venv = tmp_path / "project/.venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text("home = /opt/gone/bin\n")
    (venv / "bin/python").symlink_to("/opt/gone/bin/python3")
    chosen = default_interpreter(script, {"PATH": str(tmp_path / "bin")})
    advice = interpreter_advice(script, (), chosen) or ""
    assert f"{venv}/bin/python does not work, so it runs with {tmp_path}/bin/python3" in advice
