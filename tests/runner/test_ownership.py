"""Which run owns a file in a directory that several runs write to."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.domain.run import Checkpoint, SharedDirectory
from backprop_tui.processes.linux import birth_time_ns
from backprop_tui.runner.outputs import claims, ownership, scanner
from backprop_tui.runner.outputs import files as output_files
from backprop_tui.runner.outputs.checkpoints import CheckpointContested
from backprop_tui.runner.outputs.files import OutputFiles
from backprop_tui.runner.outputs.locations import OutputLocation, PathPatterns
from backprop_tui.runner.outputs.ownership import (
    DescriptorWatch,
    DirectoryNeighbours,
    FileEvidence,
    Neighbour,
    Written,
    WrittenBytes,
)
from backprop_tui.runner.outputs.scanner import OutputScanner
from backprop_tui.runner.recorder import Recorder
from backprop_tui.store.home import Home
from tests.support.runs import Runs
from tests.support.waiting import wait_until

# Writes as many bytes to a file as each line of its input says: `NAME BYTES`; answers with a line.
WRITER = """
import os, sys
for line in sys.stdin:
    name, size = line.split()
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "wb") as file:
        file.write(bytes(int(size)))
    print(flush=True)
"""


class Writer:
    """A process of a run."""

    def __init__(self, cwd: Path) -> None:
        self.started_at = time.time()
        arguments = [sys.executable, "-S", "-c", WRITER]
        self.process = subprocess.Popen(arguments, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write(self, name: str, size_bytes: int) -> None:
        time.sleep(0.02)  # the clock of a file system is coarse
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{name} {size_bytes}\n".encode())
        self.process.stdin.flush()
        self.process.stdout.readline()

    def neighbour(self, run_id: str) -> Neighbour:
        return Neighbour(run_id=run_id, started_at=self.started_at, script_pid=self.process.pid)

    def pids(self) -> list[int]:
        return [self.process.pid]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Writer]]:
    """Starts writers; whether the watch sees their files in the moment that these are open is left to no chance."""
    monkeypatch.setattr(ownership, "files_written_by", lambda pids: set())
    writers: list[Writer] = []

    def begin() -> Writer:
        writers.append(Writer(tmp_path))
        return writers[-1]

    yield begin
    for writer in writers:
        writer.process.communicate()


def files_of(cwd: Path, writer: Writer, other: Writer) -> OutputFiles:
    return OutputFiles(
        [],
        cwd=str(cwd),
        since_ns=int(writer.started_at * 1e9),
        pids=writer.pids,
        neighbours=lambda: [other.neighbour("other")],
    )


def names(files: OutputFiles, cwd: Path) -> list[str]:
    return sorted(os.path.relpath(file.path, cwd) for file in files.scan())


def test_a_file_is_of_the_run_that_alone_has_written_so_much(tmp_path: Path, start: Callable[[], Writer]) -> None:
    first, second = start(), start()
    views = files_of(tmp_path, first, second), files_of(tmp_path, second, first)
    for _ in range(2):
        assert [names(view, tmp_path) for view in views] == [[], []]
    first.write("logs/version_0/checkpoints/last.ckpt", 100_000)
    assert [names(view, tmp_path) for view in views] == [["logs/version_0/checkpoints/last.ckpt"], []]
    second.write("logs/version_1/checkpoints/last.ckpt", 100_000)
    assert [names(view, tmp_path) for view in views] == [[], ["logs/version_1/checkpoints/last.ckpt"]]


def test_a_directory_stays_of_the_run_that_had_it(tmp_path: Path, start: Callable[[], Writer]) -> None:
    first, second = start(), start()
    views = files_of(tmp_path, first, second), files_of(tmp_path, second, first)
    for view in views:
        view.scan()
    first.write("logs/version_0/checkpoints/a.ckpt", 100_000)
    second.write("logs/version_1/checkpoints/a.ckpt", 50_000)
    own, theirs = [names(view, tmp_path) for view in views]
    assert own == ["logs/version_0/checkpoints/a.ckpt"]
    assert theirs == [], "the other has written more than enough for it"
    second.write("logs/version_1/checkpoints/b.ckpt", 50_000)
    assert names(views[1], tmp_path) == [f"logs/version_1/checkpoints/{name}.ckpt" for name in "ab"]
    first.write("logs/version_0/metrics.csv", 10)
    second.write("logs/version_1/metrics.csv", 10)
    assert [names(view, tmp_path) for view in views] == [
        ["logs/version_0/metrics.csv"],
        ["logs/version_1/metrics.csv"],
    ]


def test_in_a_directory_of_both_each_file_needs_its_own_evidence(tmp_path: Path, start: Callable[[], Writer]) -> None:
    first, second = start(), start()
    view = files_of(tmp_path, first, second)
    view.scan()
    first.write("out/a_1.pt", 100_000)
    assert names(view, tmp_path) == ["out/a_1.pt"]
    second.write("out/b_1.pt", 100_000)
    assert names(view, tmp_path) == []
    first.write("out/a_2.pt", 100_000)
    second.write("out/b_2.pt", 100_000)
    assert names(view, tmp_path) == []
    assert sorted(map(os.path.basename, view.undecided())) == ["a_2.pt", "b_2.pt"]


def test_the_process_in_the_name_of_an_event_file_decides(tmp_path: Path, start: Callable[[], Writer]) -> None:
    first, second = start(), start()
    views = files_of(tmp_path, first, second), files_of(tmp_path, second, first)
    for view in views:
        view.scan()
    for number, writer in enumerate((first, second)):
        folder = f"logs/version_{number}"
        writer.write(f"{folder}/events.out.tfevents.17.host.name.{writer.process.pid}.0", 1_000)
        writer.write(f"{folder}/checkpoints/last.ckpt", 1_000)
    for number, view in enumerate(views):
        assert f"logs/version_{number}/checkpoints/last.ckpt" in names(view, tmp_path)
        assert not any(f"version_{1 - number}" in path for path in view.undecided())


def test_a_directory_in_which_two_processes_have_event_files_is_of_neither(
    tmp_path: Path, start: Callable[[], Writer]
) -> None:
    first, second = start(), start()
    view = files_of(tmp_path, first, second)
    view.scan()
    for writer in (first, second):
        writer.write(f"logs/version_0/events.out.tfevents.17.host.{writer.process.pid}.0", 100)
    second.write("logs/version_0/checkpoints/second.ckpt", 100_000)
    assert names(view, tmp_path) == []
    first.write("logs/version_0/checkpoints/first.ckpt", 50_000)
    second.write("logs/version_0/metrics.csv", 50_000)
    assert names(view, tmp_path) == []
    assert any(path.endswith("first.ckpt") for path in view.undecided())


def test_a_directory_made_while_a_run_was_alone_is_its_own(tmp_path: Path, start: Callable[[], Writer]) -> None:
    if birth_time_ns(str(tmp_path)) is None:
        pytest.skip("the file system keeps no birth times")
    first = start()
    first.write("logs/version_0/hparams.csv", 10)
    time.sleep(0.05)
    second = start()
    view = files_of(tmp_path, first, second)
    first.write("logs/version_0/checkpoints/last.ckpt", 10)
    second.write("logs/version_1/checkpoints/last.ckpt", 10)
    assert "logs/version_0/checkpoints/last.ckpt" in names(view, tmp_path)
    assert not any("version_1" in path for path in names(view, tmp_path))


def test_a_run_that_has_just_ended_may_have_written_it_too(tmp_path: Path, start: Callable[[], Writer]) -> None:
    writer = start()
    active = [writer.neighbour("other")]
    evidence = FileEvidence(lambda: active, lambda: [os.getpid()])
    evidence.look([os.getpid()])
    while_active = time.time_ns()
    active.clear()
    evidence.look([os.getpid()])
    file = Written(str(tmp_path / "last.pt"), 0, time.time_ns(), WrittenBytes(0, {("other", writer.process.pid): 0}))
    enough = Written(file.path, 1, file.modified_ns, file.before)
    unmeasured = Written(file.path, 1, while_active, WrittenBytes())
    files = [file, enough, unmeasured]
    assert list(evidence.of_this_run(files, since_ns=time.time_ns())) == [None, None, None]


def test_the_next_attempt_of_another_run_has_written_what_its_own_process_wrote(
    tmp_path: Path, start: Callable[[], Writer]
) -> None:
    own, earlier, later = start(), start(), start()
    active = [earlier.neighbour("other")]
    view = OutputFiles([], cwd=str(tmp_path), since_ns=0, pids=own.pids, neighbours=lambda: active)
    own.write("logs/version_0/metrics.csv", 1_000)
    earlier.write("logs/version_1/metrics.csv", 10_000)
    view.scan()
    active[:] = [later.neighbour("other")]
    own.write("logs/version_0/metrics.csv", 1_000)
    later.write("logs/version_2/metrics.csv", 100)
    assert not any("version_2" in path for path in names(view, tmp_path))


def test_a_run_that_has_died_may_have_written_it(tmp_path: Path, start: Callable[[], Writer]) -> None:
    own, other = start(), start()
    view = files_of(tmp_path, own, other)
    view.scan()
    own.write("out/last.ckpt", 10)
    own.process.kill()
    own.process.wait()
    view.scan()
    assert [os.path.basename(path) for path in view.undecided()] == ["last.ckpt"]


def test_in_a_directory_that_both_command_lines_name_a_file_needs_evidence(
    tmp_path: Path, start: Callable[[], Writer]
) -> None:
    first, second = start(), start()
    out, cwd = str(tmp_path / "out"), tmp_path / "cwd"
    cwd.mkdir()
    other = replace(second.neighbour("other"), shares_cwd=False, named=(out,))
    view = OutputFiles([OutputLocation(out)], cwd=str(cwd), since_ns=0, pids=first.pids, neighbours=lambda: [other])
    view.scan()
    second.write("out/b.pt", 100_000)
    assert names(view, tmp_path) == []
    first.write("out/a.pt", 100_000)
    assert names(view, tmp_path) == ["out/a.pt"]
    first.write("own/c.pt", 10)
    view.add_folder(str(tmp_path / "own"))
    assert names(view, tmp_path) == ["own/c.pt"], "the other run does not name this one"


def test_what_the_patterns_of_both_match_needs_evidence(tmp_path: Path, start: Callable[[], Writer]) -> None:
    first, second = start(), start()
    matches = PathPatterns(("out/*.pt", "mine/*.pt"), str(tmp_path)).matches
    other = replace(second.neighbour("other"), cwd=str(tmp_path), patterns=("out/*.pt",))
    view = OutputFiles(
        [], cwd=str(tmp_path), since_ns=0, pids=first.pids, is_relevant=matches, neighbours=lambda: [other]
    )
    view.scan()
    second.write("out/b.pt", 100_000)
    second.write("mine/b.pt", 10)
    assert names(view, tmp_path) == ["mine/b.pt"]


def test_a_run_that_was_started_since_the_last_look_may_have_written_it(
    tmp_path: Path, start: Callable[[], Writer]
) -> None:
    first, second = start(), start()
    active: list[Neighbour] = []

    def neighbours() -> Sequence[Neighbour]:
        seen = list(active)
        if not active:
            active.append(second.neighbour("other"))
            second.write("out/b.pt", 100_000)
        return seen

    view = OutputFiles([], cwd=str(tmp_path), since_ns=0, pids=first.pids, neighbours=neighbours)
    assert names(view, tmp_path) == []


def test_a_file_that_was_open_long_before_its_change_is_of_nobody_for_that(
    tmp_path: Path, start: Callable[[], Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = start(), start()
    view = files_of(tmp_path, first, second)
    path = tmp_path / "out/last.pt"
    first.write("out/last.pt", 10)
    monkeypatch.setattr(output_files, "files_written_by", lambda pids: {str(path)})
    assert names(view, tmp_path) == ["out/last.pt"]
    monkeypatch.setattr(output_files, "files_written_by", lambda pids: set())
    monkeypatch.setattr(output_files, "OPEN_SECONDS", 0.0)
    second.write("out/last.pt", 100_000)
    assert names(view, tmp_path) == []


def test_a_run_whose_processes_are_gone_writes_no_more(tmp_path: Path) -> None:
    home = Home(str(tmp_path / "home"), "here")
    home.prepare()
    guardian = Runs(home).guarded("other", spec={"cwd": str(tmp_path)})
    script = subprocess.Popen(["sleep", "100"])
    left = subprocess.Popen(["sleep", "100"])
    try:
        started = Path(f"/proc/{script.pid}/stat").read_text().rpartition(")")[2].split()[19]
        Path(guardian.directory.script_lock).write_text(f"1 {script.pid} {started}")
        neighbours = DirectoryNeighbours(home, "own", str(tmp_path))
        assert neighbours.is_shared()
        script.kill()
        script.wait()
        assert neighbours.is_shared(), "the script has left a process"
    finally:
        for process in (script, left):
            process.kill()
            process.wait()
    assert not neighbours.is_shared()


def test_a_file_that_is_open_for_a_moment_is_seen(tmp_path: Path) -> None:
    watch = DescriptorWatch(lambda: [os.getpid()])
    path = tmp_path / "last.pt"

    def is_seen() -> bool:
        watch.start()
        with path.open("wb") as file:
            file.write(b"x")
            time.sleep(0.02)
        return str(path) in watch.take()

    wait_until(is_seen, "it to be seen")


class Beside:
    """A run whose output is scanned, and another active run in the same directory."""

    def __init__(self, tmp_path: Path) -> None:
        self.cwd = tmp_path / "work"
        self.cwd.mkdir()
        home = Home(str(tmp_path / "home"), "here")
        home.prepare()
        runs = Runs(home)
        own, self.other = (runs.guarded(name, spec={"cwd": str(self.cwd)}) for name in ("own", "other"))
        Path(self.other.directory.script_lock).touch()
        self.recorder = Recorder(own.directory, own.live)
        self.scanner = OutputScanner(own.run, home, self.recorder, tuple)

    def save(self, name: str) -> Checkpoint:
        path = self.cwd / name
        time.sleep(0.02)  # the clock of a file system is coarse
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        return Checkpoint(path=str(path), step=None, saved_at=path.stat().st_mtime)

    def shared_at_end(self) -> SharedDirectory | None:
        self.scanner.results_at_end()
        return self.scanner.shared_directory


@pytest.fixture
def beside(tmp_path: Path) -> Beside:
    return Beside(tmp_path)


def test_a_possible_checkpoint_without_an_owner_is_named_with_its_directory_and_the_other_run(beside: Beside) -> None:
    paths = tuple(beside.save(f"ckpt/step_{step}.pt").path for step in (1, 2))
    shared = beside.shared_at_end()
    assert shared == SharedDirectory(folder=f"{beside.cwd}/ckpt", runs=("other",), files=paths)
    assert shared.message.startswith(f"step_2.pt and others in {beside.cwd}/ckpt may be of this run or of run other")


def test_what_another_run_has_recorded_has_an_owner_until_it_is_written_again(beside: Beside) -> None:
    beside.other.says(checkpoints=(beside.save("ckpt/last.pt"),))
    assert beside.shared_at_end() is None
    beside.save("ckpt/last.pt")
    assert beside.shared_at_end() is not None


def contested(beside: Beside) -> dict[str, tuple[str, ...]]:
    results = beside.scanner.results_at_end()
    return {os.path.basename(each.path): each.runs for each in results if isinstance(each, CheckpointContested)}


def test_a_checkpoint_that_was_changed_while_another_run_was_active_is_contested(beside: Beside) -> None:
    own = [beside.save(f"ckpt/{name}.pt") for name in ("first", "last")]
    beside.recorder.change(checkpoints=tuple(own))
    beside.save("ckpt/last.pt")
    assert contested(beside) == {"last.pt": ("other",)}
    assert beside.scanner.shared_directory is not None
    assert beside.scanner.shared_directory.files == (own[1].path,)


def test_a_checkpoint_that_two_runs_have_on_record_is_contested(beside: Beside) -> None:
    own = [beside.save(f"ckpt/{name}.pt") for name in ("first", "last")]
    beside.recorder.change(checkpoints=tuple(own))
    beside.other.says(checkpoints=(replace(own[1], written=False),))
    assert contested(beside) == {"last.pt": ("other",)}
    beside.recorder.change(checkpoints=(own[0], replace(own[1], shared_with=("other",))))
    assert contested(beside) == {}, "that is on record already"
    assert beside.scanner.shared_directory is not None


@pytest.mark.parametrize(("step", "is_named"), [(None, False), (4, False), (5, True)])
def test_a_run_that_has_saved_nothing_may_have_written_what_another_one_of_its_kind_has_on_record(
    beside: Beside, step: int | None, *, is_named: bool
) -> None:
    beside.recorder.change(step=step)
    saved = beside.save("ckpt/step-5.pt")
    beside.other.says(checkpoints=(saved,))
    assert (beside.shared_at_end() is not None) is is_named
    beside.other.says(checkpoints=(replace(saved, shared_with=("third",)),))
    assert beside.shared_at_end() is not None, "the other run is not sure of it either"


def test_a_run_with_checkpoints_in_another_directory_misses_none(beside: Beside) -> None:
    own = beside.save("own/1.pt")
    beside.recorder.change(checkpoints=(own,))
    beside.save("ckpt/1.pt")
    assert beside.shared_at_end() is None
    beside.recorder.change(checkpoints=(own, beside.save("ckpt/2.pt")))
    assert beside.shared_at_end() is not None


def test_what_is_undecided_for_a_moment_is_not_reported(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "IDLE_SECONDS", 0.01)
    beside.save("ckpt/1.pt")
    scans = 0
    while beside.scanner.shared_directory is None:
        if beside.scanner.results(time.monotonic()):
            scans += 1
            assert scans < 20
        time.sleep(0.01)
    assert scans >= claims.UNCLEAR_SCANS - 1


def test_a_run_beside_this_one_is_active_although_the_clock_was_set_back(tmp_path: Path) -> None:
    """It began two hours later by the clock as it was then."""
    active = [Neighbour(run_id="other", started_at=time.time() + 7200, script_pid=os.getpid())]
    evidence = FileEvidence(lambda: active, tuple)
    evidence.look(())
    while_active = time.time_ns()
    assert evidence.is_shared_at(while_active)
    active.clear()
    evidence.look(())
    assert evidence.is_shared_at(while_active)
    assert not evidence.is_shared_at(time.time_ns() + 10**10)


def test_a_scan_knows_that_the_clock_was_set_back(beside: Beside, tmp_path: Path) -> None:
    run = beside.other.run
    later = run.with_attempt(replace(run.attempt, started_at=time.time() + 7200))
    scanned = OutputScanner(later, Home(str(tmp_path / "home"), "here"), beside.recorder, tuple)
    scanned.results_at_end()
    assert scanned._files.earliest_ns == scanned._checkpoint_scanner.since_ns < time.time_ns()
