"""How a package gets into the environment of a run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backprop_tui.store.python_environments import install_command, interpreter_of


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """The directory of an environment with a Python and nothing else."""
    return made(tmp_path / "project/.venv")


def made(prefix: Path) -> Path:
    (prefix / "bin").mkdir(parents=True)
    python = prefix / "bin/python"
    python.write_text("")
    python.chmod(0o755)
    return prefix


def with_pip(prefix: Path) -> None:
    (prefix / "lib/python3.12/site-packages/pip").mkdir(parents=True)


def install(python: Path | str, script: Path | None = None, **variables: str) -> str:
    command = (str(python), *([] if script is None else [str(script), "--lr", "3"]))
    where = None if script is None else str(script)
    return install_command("torch", command, script=where, cwd="/w", environment=variables)


def test_a_venv_with_pip(prefix: Path) -> None:
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\n")
    with_pip(prefix)
    assert install(prefix / "bin/python") == f"{prefix}/bin/python -m pip install torch"


def test_a_venv_without_pip(prefix: Path) -> None:
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\n")
    python = f"{prefix}/bin/python"
    assert install(python) == f"{python} -m ensurepip && {python} -m pip install torch"


def test_a_venv_made_by_uv(prefix: Path) -> None:
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\r\nuv = 0.9.1\r\n")
    assert install(prefix / "bin/python") == f"uv pip install --python {prefix}/bin/python torch"


@pytest.mark.parametrize(
    ("lock_file", "command"),
    [("uv.lock", "uv add torch"), ("poetry.lock", "poetry add torch"), ("pdm.lock", "pdm add torch")],
)
def test_the_environment_of_a_project(prefix: Path, lock_file: str, command: str) -> None:
    project = prefix.parent
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\n")
    with_pip(prefix)
    (project / lock_file).write_text("")
    assert install(prefix / "bin/python", project / "src/train.py") == f"cd {project} && {command}"


def test_another_environment_than_that_of_the_project(prefix: Path, tmp_path: Path) -> None:
    """One that was activated gets the package; a Python for everything does not."""
    project = prefix.parent
    (project / "uv.lock").write_text("")
    own = made(tmp_path / "own")
    (own / "pyvenv.cfg").write_text("home = /usr/bin\n")
    with_pip(own)
    assert install(own / "bin/python", project / "train.py") == f"{own}/bin/python -m pip install torch"
    usr = made(tmp_path / "usr")
    line = f"backprop-tui run -- uv run python {project}/train.py --lr 3"
    assert install(usr / "bin/python", project / "train.py") == line


def test_a_conda_environment(tmp_path: Path) -> None:
    named = made(tmp_path / "miniforge3/envs/ml")
    (named / "conda-meta").mkdir()
    python = f"{named}/bin/python"
    assert install(python) == f"conda install -n ml pip && {python} -m pip install torch"
    with_pip(named)
    assert install(python) == f"{python} -m pip install torch"
    unnamed = made(tmp_path / "project/env")
    (unnamed / "conda-meta").mkdir()
    assert install(unnamed / "bin/python").startswith(f"conda install -p {unnamed} pip && ")


def test_a_python_that_is_managed_by_the_system(tmp_path: Path) -> None:
    usr = made(tmp_path / "usr")
    (usr / "bin/python").rename(usr / "bin/python3.12")
    (usr / "bin/python3").symlink_to("python3.12")
    (usr / "lib/python3.12").mkdir(parents=True)
    assert install(usr / "bin/python3") == f"{usr}/bin/python3 -m pip install torch"
    (usr / "lib/python3.12/EXTERNALLY-MANAGED").write_text("")
    line = "/p/.venv && /p/.venv/bin/pip install torch, then queue it again"
    assert install(usr / "bin/python3", Path("/p/train.py")) == f"{usr}/bin/python3 -m venv {line}"


@pytest.mark.parametrize("receipt", ["pipx_metadata.json", "uv-receipt.toml"])
def test_the_environment_of_a_tool_is_left_alone(prefix: Path, receipt: str) -> None:
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (prefix / receipt).write_text("")
    assert install(prefix / "bin/python", Path("/p/train.py")).startswith(f"{prefix}/bin/python -m venv /p/.venv && ")


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("uv run train.py", "backprop-tui run -- uv run --with torch train.py"),
        ("conda run -n ml python train.py", "conda run -n ml python -m pip install torch"),
        ("nosuch train.py", "python3 -m pip install torch"),
    ],
)
def test_a_command_line(command: str, line: str) -> None:
    assert install_command("torch", command.split(), script=None, cwd="/w", environment={"PATH": "/nowhere"}) == line


def test_a_manager_that_runs_the_project(tmp_path: Path) -> None:
    (tmp_path / "poetry.lock").write_text("")
    command = ["poetry", "run", "python", "train.py"]
    line = install_command("torch", command, script=None, cwd=str(tmp_path), environment={})
    assert line == f"cd {tmp_path} && poetry add torch"


def test_a_script_that_declares_its_packages(prefix: Path, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text('#!/usr/bin/env python3\n# /// script\n# dependencies = ["torch"]\n# ///\n')
    assert install(prefix / "bin/python", script) == f"backprop-tui run -- uv run {script} --lr 3"


def test_the_python_of_a_launcher_is_in_its_first_line(prefix: Path) -> None:
    launcher = prefix / "bin/torchrun"
    launcher.write_text(f"#!{prefix}/bin/python\nimport sys\n")
    launcher.chmod(0o755)
    environment = {"PATH": str(prefix / "bin")}
    assert interpreter_of(["torchrun", "train.py"], "/w", environment) == f"{prefix}/bin/python"
    assert interpreter_of(["python", "train.py"], "/w", environment) == f"{prefix}/bin/python"
    launcher.write_text("#!/usr/bin/env python3\n")
    assert interpreter_of(["torchrun", "train.py"], "/w", environment) is None


@pytest.mark.skipif(shutil.which("uv") is None, reason="needs uv")
def test_uv_still_marks_its_environments(tmp_path: Path) -> None:
    subprocess.run(["uv", "venv", "-q", "--python", sys.executable, tmp_path / "v"], check=True)
    python = f"{tmp_path}/v/bin/python"
    assert install(python) == f"uv pip install --python {python} torch"
