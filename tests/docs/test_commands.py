"""Every shell command in the README and in docs/ is run, page by page, in a directory with a small training script."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import processes

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "docs/dashboard.md",
    "docs/commands.md",
    "docs/governor.md",
    "docs/checkpoints.md",
    "docs/files.md",
]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Run elsewhere: the installation by .ci/run, which starts with the README's own commands.
NOT_RUN_HERE = ("python3 -m venv", "pipx install", "uv tool install")
# Exit codes other than 0 that a page means: a dry run says by its exit code that the run would have to wait.
ALLOWED_CODES = {"--dry-run": {0, 75}, "doctor": {0, 1}}

TRAIN = """\
import json, os, sys, time
folder = "saves"
try:
    os.mkdir(folder)
except FileExistsError:  # of another run: its checkpoints stay as they are
    folder = "saves-" + os.environ["BACKPROP_RUN_ID"]
    os.makedirs(folder, exist_ok=True)
for step in range(1, 41):
    print(json.dumps({"step": step, "total_steps": 40, "loss": 1 / step}))
    if step % 20 == 0:
        path = f"{folder}/step-{step}.bin"
        with open(path, "wb") as file:
            file.write(bytes(2048))
        print(json.dumps({"event": "checkpoint_saved", "path": path, "step": step}))
    time.sleep(0.005)
"""
TORCHRUN = f"""\
#!/bin/sh
shift 2
exec {sys.executable} "$@"
"""
CONFIG = """\
max_parallel = 4
min_free_ram_gb = 0
[gpu]
probe = "none"
[governor]
starts_per_minute = 0
max_load_per_core = 0
min_free_disk_gb = 0
"""


def _commands(page: str) -> list[str]:
    """The lines of the page's shell blocks, continued lines joined, comments left out."""
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture
def shell_environment(home: Path) -> dict[str, str]:
    """Environment of a user who has installed the program and has a training script in the working directory."""
    work, programs = home / "work", home / "programs"
    for directory in (work, programs, home / "config" / "backprop"):
        directory.mkdir(parents=True)
    (work / "train.py").write_text(TRAIN)
    (work / "examples").symlink_to(ROOT / "examples")
    (home / "config" / "backprop" / "config.toml").write_text(CONFIG)
    (programs / "torchrun").write_text(TORCHRUN)
    (programs / "torchrun").chmod(0o755)
    (programs / "backprop-tui").write_text(f'#!/bin/sh\nexec {sys.executable} -m backprop_tui "$@"\n')
    (programs / "backprop-tui").chmod(0o755)
    paths = (str(programs), os.path.dirname(sys.executable), os.environ["PATH"])
    return dict(os.environ) | {"PATH": os.pathsep.join(paths), "PYTHONPATH": str(ROOT)}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_the_page_work(page: str, home: Path, shell_environment: dict[str, str]) -> None:
    try:
        for command in _commands(page):
            if command.startswith(NOT_RUN_HERE):
                continue
            finished = subprocess.run(
                ["bash", "-c", command],
                cwd=home / "work",
                env=shell_environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            allowed = next((codes for word, codes in ALLOWED_CODES.items() if word in command), {0})
            assert finished.returncode in allowed, f"{page}: {command}\n{finished.stdout}\n{finished.stderr}"
    finally:
        processes.kill_processes_of_store(str(home / "backprop"))


def test_every_page_in_docs_is_listed_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in sorted((ROOT / "docs").glob("*.md")):
        assert f"docs/{page.name}" in readme


@pytest.mark.parametrize(
    "page", ["README.md", "CHANGELOG.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
)
def test_relative_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), f"{page}: {target}"
