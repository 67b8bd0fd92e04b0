"""Reports of training scripts are understood by the log readers; outside a run nothing happens."""

from __future__ import annotations

import ast
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backprop_tui import report
from backprop_tui.processes.identity import identify
from backprop_tui.readers.events import CheckpointSaved, MergedEvent, Progress
from backprop_tui.readers.log_reader import LogReader
from backprop_tui.runner.stop_sequence import has_live_listener

SOURCE = Path(report.__file__)
NEW_AND_OLD_PYTHONS = [sys.executable, *(f"python3.{minor}" for minor in (8, 9, 10))]


class RunFolder:
    """A run's directory as a script sees it, and a copy of the module beside the script, under another name."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run"
        self.path.mkdir()
        self.log = self.path / "output.log"
        self.log.touch()
        self.scripts = folder / "scripts"
        self.scripts.mkdir()
        shutil.copy(SOURCE, self.scripts / "training_report.py")

    def environment(self, **variables: str) -> dict[str, str]:
        return {**os.environ, "BACKPROP_RUN_DIR": str(self.path), "BACKPROP_ATTEMPT": "2", **variables}

    def run(
        self, code: str, python: str = sys.executable, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        script = self.scripts / "script.py"
        script.write_text(f"import training_report as report\n{code}\n")
        variables = self.environment() if environment is None else environment
        command = [python, "-S", str(script)]
        return subprocess.run(command, env=variables, cwd=self.scripts, capture_output=True, text=True, check=False)

    def values(self) -> list[MergedEvent]:
        return LogReader().feed(self.log.read_bytes())

    def write_live(self, **fields: object) -> None:
        new = self.path / "new"
        new.write_text(json.dumps(fields))
        new.replace(self.path / "live.json")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def works(python: str) -> bool:
    """A shim may stand where no interpreter is."""
    if shutil.which(python) is None:
        return False
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("python", NEW_AND_OLD_PYTHONS, ids=lambda path: Path(path).name)
def test_a_copy_of_the_file_reports_steps_and_checkpoints(folder: RunFolder, python: str) -> None:
    if not works(python):
        pytest.skip(f"there is no {python}")
    done = folder.run("report.step(3, 10, epoch=0.5, loss=0.25)\nreport.checkpoint('ckpt.pt', 3)", python)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    progress, checkpoint = folder.values()
    assert isinstance(progress, Progress)
    assert (progress.step, progress.total_steps, progress.epoch) == (3, 10, 0.5)
    assert progress.metrics == {"loss": 0.25}
    assert isinstance(checkpoint, CheckpointSaved)
    assert (checkpoint.path, checkpoint.step) == (str(folder.scripts / "ckpt.pt"), 3)


def test_its_syntax_is_that_of_python_3_8() -> None:
    ast.parse(SOURCE.read_text(), feature_version=(3, 8))


def test_outside_a_run_it_does_nothing(folder: RunFolder) -> None:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("BACKPROP_")}
    code = "report.step(1, loss=object())\nreport.checkpoint('x')\nassert not report.should_stop()\n"
    done = folder.run(f"{code}assert report.resume_from() is None", environment=outside)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert folder.log.read_bytes() == b""
    assert sorted(path.name for path in folder.scripts.iterdir() if path.is_file()) == [
        "script.py",
        "training_report.py",
    ]


def test_nan_and_infinities_arrive(folder: RunFolder) -> None:
    folder.run("report.step(1, loss=float('nan'), grad_norm=float('inf'))")
    (progress,) = folder.values()
    assert isinstance(progress, Progress)
    assert math.isnan(progress.metrics["loss"])
    assert progress.metrics["grad_norm"] == math.inf


def test_it_needs_no_standard_output(folder: RunFolder) -> None:
    done = folder.run("import os, sys\nsys.stdout = None\nos.close(1)\nreport.step(1, loss=1)")
    assert done.returncode == 0, done.stderr
    assert len(folder.values()) == 1


def test_lines_of_many_writers_are_not_mixed(folder: RunFolder) -> None:
    code = """
import os, sys
children = [pid for pid in (os.fork() for _ in range(3))]
for step in range(200):
    report.step(1000 * os.getpid() + step, loss=1.5)  # said of the same step, it would count once
    os.write(1, b"  5%|half a bar")
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""
    script = folder.scripts / "script.py"
    script.write_text(f"import training_report as report\n{code}")
    with folder.log.open("ab") as log:
        command = [sys.executable, "-S", str(script)]
        subprocess.run(command, env=folder.environment(), stdout=log, cwd=folder.scripts, check=True)
    values = folder.values()
    assert len(values) == 8 * 200
    steps = {value.step for value in values if isinstance(value, Progress) and value.metrics == {"loss": 1.5}}
    assert len(steps) == 8 * 200


@pytest.mark.parametrize("variable", report.RANK_VARIABLES)
def test_only_the_first_rank_reports(folder: RunFolder, variable: str) -> None:
    code = "report.step(7)\nreport.checkpoint('x')"
    folder.run(code, environment=folder.environment(**{variable: "1"}))
    assert folder.values() == []
    folder.run(code, environment=folder.environment(**{variable: "0"}))
    assert len(folder.values()) == 2


def test_a_full_disk_or_a_removed_run_does_not_end_the_training(folder: RunFolder) -> None:
    folder.log.unlink()
    folder.log.symlink_to("/dev/full")
    code = "report.step(1)\nreport.checkpoint('x')\nassert not report.should_stop()"
    assert folder.run(code).returncode == 0
    shutil.rmtree(folder.path)
    assert folder.run(code).returncode == 0


def test_a_broken_record_requests_nothing(folder: RunFolder) -> None:
    for content in ("[]", "null", '"stopping"'):
        (folder.path / "live.json").write_text(content)
        assert folder.run("assert not report.should_stop()").returncode == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("report.step(0.5)", "step is 0.5, which is not a whole number"),
        ("report.step(1, loss='low')", "loss is of type str, not a number"),
        ("report.step(1, total=None, lr=[1])", "lr is of type list, not a number"),
        ("report.step(10**400)", "step is of type int, not a number"),
    ],
)
def test_values_that_are_not_numbers_are_named(folder: RunFolder, call: str, words: str) -> None:
    done = folder.run(call)
    assert done.returncode == 1
    assert f"TypeError: report: {words}" in done.stderr


def test_a_run_without_a_stop_request_does_not_stop(folder: RunFolder) -> None:
    never = "assert not report.should_stop()"
    assert folder.run(never).returncode == 0
    folder.write_live(attempt=2, stopping=None)
    assert folder.run(never).returncode == 0
    # An earlier attempt's record stands there until the guardian of this one writes.
    folder.write_live(attempt=1, stopping={"stage": 0})
    assert folder.run(never).returncode == 0
    (folder.path / "live.json").write_text('{"attempt": 2, "stopp')
    assert folder.run(never).returncode == 0


def test_a_stop_is_seen_during_the_training_and_stays(folder: RunFolder) -> None:
    folder.write_live(attempt=2, stopping=None)
    code = f"""
import json, os, time
assert not report.should_stop()
with open("new", "w") as file:
    json.dump({{"attempt": 2, "stopping": {{"stage": 0}}}}, file)
os.replace("new", {str(folder.path / "live.json")!r})
end = time.monotonic() + 20
while not report.should_stop():
    assert time.monotonic() < end
os.unlink({str(folder.path / "live.json")!r})
time.sleep(2 * report.POLL_SECONDS)
assert report.should_stop()
"""
    done = folder.run(code)
    assert done.returncode == 0, done.stderr


def test_polling_registers_the_process_once(folder: RunFolder) -> None:
    code = """
import os, time
for _ in range(3):
    report.should_stop()
    time.sleep(2 * report.POLL_SECONDS)
print(os.getpid())
"""
    pid = folder.run(code).stdout.strip()
    (line,) = (folder.path / "listeners").read_text().splitlines()
    assert line.split()[0] == pid
    assert not has_live_listener(str(folder.path / "listeners"))


def test_a_running_process_that_polled_counts_as_listening(tmp_path: Path) -> None:
    file = tmp_path / "listeners"
    assert not has_live_listener(str(file))
    me = identify(os.getpid())
    assert me is not None
    file.write_text(f"no line\n1 2 3\n-1 -1\n{'9' * 30} 1\n{me.pid} {me.start_time + 1}\n")
    assert not has_live_listener(str(file))
    file.write_text(f"torn\n{me.pid} {me.start_time}\n")
    assert has_live_listener(str(file))


def test_the_checkpoint_to_resume_from_is_that_of_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKPROP_RESUME_FROM", "/x/ckpt.pt")
    assert report.resume_from() == "/x/ckpt.pt"
    monkeypatch.setenv("BACKPROP_RESUME_FROM", "")
    assert report.resume_from() is None
