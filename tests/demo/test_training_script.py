"""The demo's training script: it uses only the standard library, learns, saves, resumes, and stops on request."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backprop_tui.demo.scenario import EXAMPLE, INITIAL_RUNS, LATER_RUNS
from tests.support.waiting import wait_until


def example(folder: Path, *arguments: object, **variables: str) -> subprocess.Popen[bytes]:
    command = (sys.executable, "-I", "-S", EXAMPLE, "--pace", "0", *map(str, arguments))
    environment = {"PATH": os.defpath, "BACKPROP_RUN_DIR": str(folder), "PYTHONIOENCODING": "utf-8"} | variables
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def json_lines(process: subprocess.Popen[bytes]) -> list[dict[str, float]]:
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return [json.loads(line) for line in output.splitlines() if line.startswith(b"{")]


def test_it_learns(tmp_path: Path) -> None:
    lines = [line for line in json_lines(example(tmp_path)) if "loss" in line]
    assert lines[0]["loss"] > 0.6
    assert sum(line["loss"] for line in lines[-50:]) / 50 < 0.25
    assert lines[-1]["step"] == lines[-1]["total_steps"]


def test_it_resumes_from_a_checkpoint(tmp_path: Path) -> None:
    json_lines(example(tmp_path, "--steps", 300))
    saved = tmp_path / "checkpoints" / "step-000200.json"
    resumed = example(tmp_path, "--steps", 300, BACKPROP_RESUME_FROM=str(saved))
    lines = [line for line in json_lines(resumed) if "loss" in line]
    assert lines[0]["step"] == 201
    assert lines[0]["loss"] < 0.6


def test_it_saves_when_it_is_asked_to_stop(tmp_path: Path) -> None:
    process = example(tmp_path, "--pace", 0.01)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 128 + signal.SIGINT
    process.communicate()
    wait_until(lambda: os.listdir(tmp_path / "checkpoints"), "a checkpoint")


@pytest.mark.parametrize("style", ["json", "keras", "nanogpt", "huggingface", "tqdm", "plain"])
def test_every_format_is_printed_without_errors(tmp_path: Path, style: str) -> None:
    output, errors = example(tmp_path, "--steps", 40, "--print-as", style).communicate(timeout=60)
    assert not errors
    assert b"loss" in output


def test_every_demo_run_names_a_script_that_is_there() -> None:
    assert all(os.path.isfile(run.script) for run in (*INITIAL_RUNS, *LATER_RUNS))
