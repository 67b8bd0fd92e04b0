"""A shell in which the commands of a page are run, as a reader would type them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.docs import pages
from tests.support import processes

ROOT = Path(__file__).parents[2]
PROGRAM = "backprop-tui"
SLURM_PAGE = "docs/slurm.md"  # whose commands need a cluster: tests/slurm runs them
SECONDS = 100

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
MARK = "\036"


def prepare(home: Path) -> dict[str, str]:
    """The environment of a user who has installed the program, with a training script in the working directory."""
    shutil.copytree(ROOT / "tests/docs/project", home / "project")
    (home / "project" / "examples").symlink_to(ROOT / "examples")
    (home / ".config" / "backprop").mkdir(parents=True)
    (home / ".config" / "backprop" / "config.toml").write_text(CONFIG)
    programs = home / "programs"
    programs.mkdir()
    for name, line in {
        PROGRAM: f'exec {sys.executable} -m backprop_tui "$@"',
        "torchrun": f'shift 2; exec {sys.executable} "$@"',
        "accelerate": f'shift 3; exec {sys.executable} "$@"',
        **dict.fromkeys(("conda", "uv", "poetry", "docker", "srun"), "exit 1"),  # so that the parser finds programs
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "BACKPROP_", "VIRTUAL_"))}
    path = os.pathsep.join((str(programs), os.path.dirname(sys.executable), os.environ["PATH"]))
    return kept | {"HOME": str(home), "PATH": path, "PYTHONPATH": str(ROOT)}


def run(page: str, steps: Sequence[pages.Step], home: Path, environment: dict[str, str]) -> None:
    """All commands in one shell, as a reader would type them; each must exit and print as the page says."""
    script = "".join(f"{step.command}\n(code=$?; printf '{MARK}%s{MARK}' $code; exit $code)\n" for step in steps)
    try:
        finished = subprocess.run(
            ["bash", "-c", script],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
    finally:
        ids = sorted(path.name for path in (home / ".local/share/backprop/runs").glob("*"))
        processes.kill_processes_of_store(str(home))
    printed = finished.stdout.decode(errors="replace").replace(str(home), "/home/ada").split(MARK)
    for step, output, code in zip(steps, printed[::2], printed[1::2], strict=False):
        place = f"{page}:{step.line}: {step.command}\n"
        assert int(code) in step.codes, f"{place}exit code {code}\n{output}"
        if step.output is not None:
            end = "".join(output.splitlines(keepends=True)[-20:])
            assert pages.matches(step.output, output, ids), f"{place}{end}\n---- is not as shown:\n{step.output}"
    assert len(printed) == 2 * len(steps) + 1, f"{page}: the shell ended early:\n{printed[-1]}"
