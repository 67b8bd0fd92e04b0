"""Finding the files that a run writes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.run import Ended, Queued, Run, Running, Spec, State
from backprop_tui.domain.status import Status
from backprop_tui.processes.descriptors import files_written_by
from backprop_tui.runner.outputs import files as written_files
from backprop_tui.runner.outputs.files import (
    OutputFile,
    OutputFiles,
)
from backprop_tui.runner.outputs.locations import DEEPEST, OutputLocation, locations_in_command
from backprop_tui.runner.outputs.ownership import DirectoryNeighbours, Neighbour
from backprop_tui.store.creation import create
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory

PAST = 1_000_000_000
OTHER = Neighbour(run_id="other", started_at=0.0, script_pid=None)


def make_files(cwd: Path, *folders: Path, since_ns: int = 0, **options: object) -> OutputFiles:
    asked = [OutputLocation(str(folder)) for folder in folders]
    return OutputFiles(asked, cwd=str(cwd), since_ns=since_ns, **options)  # type: ignore[arg-type]


def names(files: object) -> list[str]:
    return [os.path.basename(file.path) for file in files]  # type: ignore[attr-defined]


def write(path: Path, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_a_file_is_reported_once_and_again_when_it_changes(tmp_path: Path) -> None:
    files = make_files(tmp_path)
    path = write(tmp_path / "out" / "metrics.csv")
    assert files.scan() == [OutputFile(path=str(path), size_bytes=1, modified_ns=path.stat().st_mtime_ns)]
    assert files.scan() == []
    write(path, "xy")
    assert [file.size_bytes for file in files.scan()] == [2]


def test_a_scan_looks_for_the_processes_of_the_run_once(tmp_path: Path) -> None:
    looks: list[int] = []

    def pids() -> list[int]:
        looks.append(1)
        return [os.getpid()]

    files = make_files(tmp_path, pids=pids)
    with (tmp_path / "model.pt").open("wb"):
        assert files.scan() != []
    assert len(looks) == 1


def test_files_older_than_the_attempt_are_reported_only_when_written_again(tmp_path: Path) -> None:
    path = write(tmp_path / "ckpt.pt")
    os.utime(path, ns=(PAST, PAST))
    files = make_files(tmp_path, since_ns=2 * PAST)
    assert files.scan() == []
    path.write_text("in folder, so that the directory does not change")
    assert names(files.scan()) == ["ckpt.pt"]


def test_new_directories_are_found_even_if_the_parent_seems_unchanged(tmp_path: Path) -> None:
    files = make_files(tmp_path)
    files.scan()
    write(tmp_path / "lightning_logs" / "version_0" / "checkpoints" / "epoch=1-step=16.ckpt")
    assert names(files.scan()) == ["epoch=1-step=16.ckpt"]
    os.utime(tmp_path / "lightning_logs" / "version_0" / "checkpoints", ns=(PAST, PAST))
    files.scan()
    write(tmp_path / "lightning_logs" / "version_0" / "checkpoints" / "epoch=2-step=32.ckpt")
    assert names(files.scan()) == ["epoch=2-step=32.ckpt"]


@pytest.mark.parametrize("folder", [".git", "node_modules", "__pycache__", "venv", "wandb", ".cache/huggingface"])
def test_directories_of_tools_are_skipped(tmp_path: Path, folder: str) -> None:
    write(tmp_path / folder / "ckpt.pt")
    assert make_files(tmp_path).scan() == []


def test_a_store_in_the_working_directory_is_no_part_of_it(tmp_path: Path) -> None:
    store, cwd = tmp_path / "work" / "store", tmp_path / "work"
    write(store / "runs" / "other" / "checkpoints" / "step_9.pt")
    write(cwd / "out" / "step_1.pt")
    (tmp_path / "linked").symlink_to(cwd)
    assert names(make_files(tmp_path / "linked", store=str(store)).scan()) == ["step_1.pt"]
    own = store / "runs" / "own" / "checkpoints"
    write(own / "step_2.pt")
    assert sorted(names(make_files(cwd, own, store=str(store)).scan())) == ["step_1.pt", "step_2.pt"]


def test_links_are_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside / "ckpt.pt")
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    (cwd / "linked").symlink_to(outside)
    (cwd / "last.ckpt").symlink_to(outside / "ckpt.pt")
    assert make_files(cwd).scan() == []


def test_uninteresting_names_are_skipped_unless_they_are_relevant(tmp_path: Path) -> None:
    write(tmp_path / "state.weights")
    assert make_files(tmp_path).scan() == []
    assert names(make_files(tmp_path, is_relevant=lambda path: path.endswith(".weights")).scan()) == ["state.weights"]


def test_the_depth_of_the_search_is_limited(tmp_path: Path) -> None:
    deepest = tmp_path.joinpath(*"abcdefgh"[:DEEPEST])
    write(deepest / "ckpt.pt")
    write(deepest / "deeper" / "ckpt_2.pt")
    assert names(make_files(tmp_path).scan()) == ["ckpt.pt"]


def test_a_directory_with_too_many_entries_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written_files, "MAX_GUESSED_ENTRIES", 10)
    for number in range(50):
        write(tmp_path / "images" / f"{number}.npz")
    write(tmp_path / "out" / "ckpt.pt")
    files = make_files(tmp_path)
    listed = names(files.scan())
    assert "ckpt.pt" in listed
    assert len(listed) <= 11
    write(tmp_path / "images" / "another.npz")
    assert "another.npz" not in names(files.scan())


def test_the_number_of_remembered_files_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written_files, "MAX_GUESSED_FILES", 25)
    for folder in range(20):
        for number in range(10):
            write(tmp_path / "data" / f"class{folder}" / f"{number}.npz")
    out = tmp_path / "out"
    files = make_files(tmp_path, out)
    scans = [names(files.scan()) for number in range(4)]
    assert sum(map(len, scans)) == 25
    write(out / "ckpt.pt")
    assert names(files.scan()) == ["ckpt.pt"]
    for path in tmp_path.rglob("*.npz"):
        path.unlink()
    files.scan()
    assert files._file_count == 1


def test_the_work_of_a_scan_is_limited_and_the_next_one_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written_files, "UNITS_PER_SCAN", 30)
    for folder in range(20):
        for number in range(10):
            write(tmp_path / f"class{folder}" / f"{number}.npz")
    files = make_files(tmp_path)
    scans = [len(files.scan()) for number in range(20)]
    assert max(scans) <= 40
    assert sum(scans) == 200


def test_named_directories_are_checked_at_each_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written_files, "UNITS_PER_SCAN", 1)
    cwd, out = tmp_path / "cwd", tmp_path / "out"
    for folder in range(20):
        write(cwd / f"class{folder}" / "0.npz")
    files = make_files(cwd, out)
    files.scan()
    write(out / "checkpoint-5" / "trainer_state.json")
    assert "trainer_state.json" in names(files.scan())


def test_new_files_in_a_shared_cwd_belong_to_no_run(tmp_path: Path) -> None:
    named = tmp_path / "mine"
    files = make_files(tmp_path, named, neighbours=lambda: [OTHER])
    write(tmp_path / "theirs" / "ckpt.pt")
    write(named / "ckpt_7.pt")
    assert names(files.scan()) == ["ckpt_7.pt"]


def test_a_directory_that_contains_the_cwd_counts_as_guessed(tmp_path: Path) -> None:
    files = make_files(tmp_path / "cwd", tmp_path, neighbours=lambda: [OTHER])
    write(tmp_path / "cwd" / "ckpt.pt")
    assert files.scan() == []


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that writes to a file in a directory that is not named anywhere, and reads another file."""
    write(tmp_path / "read" / "weights.pt")
    (tmp_path / "elsewhere").mkdir()
    code = "import sys; w = open(sys.argv[1], 'w'); r = open(sys.argv[2]); print(flush=True); sys.stdin.read()"
    arguments = [sys.executable, "-S", "-c", code, "elsewhere/held.pt", "read/weights.pt"]
    with subprocess.Popen(arguments, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.communicate()


def test_the_directory_of_an_open_file_is_added(tmp_path: Path, writer: subprocess.Popen[bytes]) -> None:
    assert files_written_by([writer.pid]) >= {str(tmp_path / "elsewhere" / "held.pt")}
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    files = make_files(cwd, pids=lambda: [writer.pid], neighbours=lambda: [OTHER])
    assert names(files.scan()) == ["held.pt"]
    write(tmp_path / "elsewhere" / "next.pt")
    assert names(files.scan()) == ["next.pt"]


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        (["train.py", "--output_dir", "out"], "out"),
        (["train.py", "--save-dir=runs/7"], "runs/7"),
        (["train.py", "trainer.default_root_dir=lit"], "lit"),
        (["train.py", "--out_dir", "/abs/x"], "/abs/x"),
        (["train.py", "--checkpoint-path", "ck/last.ckpt"], "ck"),
    ],
)
def test_options_name_output_directories(words: list[str], folder: str) -> None:
    assert [folder.folder for folder in locations_in_command(words, "/cwd")] == [os.path.join("/cwd", folder)]


OPTIONS = st.sampled_from(["--output_dir", "--output_dir=", "--save-dir=", "trainer.default_root_dir=", "--x="])
WORDS = st.text(max_size=20) | OPTIONS | st.builds(str.__add__, OPTIONS, st.text(max_size=20))


@given(st.lists(WORDS, max_size=8))
def test_directories_from_a_command_line_are_always_absolute(words: list[str]) -> None:
    assert all(os.path.isabs(folder.folder) for folder in locations_in_command(words, "/cwd"))


def test_scanning_beside_many_other_files_is_cheap(tmp_path: Path) -> None:
    """The cost of a scan is limited by the number of entries it may read, not by how many there are."""
    for folder in range(30):
        target = tmp_path / "data" / f"class{folder}"
        target.mkdir(parents=True)
        for number in range(1000):
            (target / f"{number}.jpg").touch()
    files = make_files(tmp_path)
    began = time.thread_time()
    for _ in range(20):
        files.scan()
    assert time.thread_time() - began < 1.0
    began = time.thread_time()
    files.scan()
    assert time.thread_time() - began < 0.1


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(str(tmp_path / "home"), "here")
    home.prepare()
    return home


def beside(home: Home, run_id: str, cwd: str, state: State) -> RunDirectory:
    spec = Spec(command=("true",), script=None, cwd=cwd)
    run = Run(id=run_id, name=run_id, host="here", created_at=1.0, position=1.0, spec=spec, state=Queued(since=1.0))
    directory = create(home, run, {}, time=time.time())
    enter(directory, state)
    return directory


def enter(directory: RunDirectory, state: State) -> None:
    """Changes the state of a run, as its guardian does."""
    directory.write(replace(directory.read(), state=state), durable=False)
    if isinstance(state, Running):
        Path(directory.script_lock).touch()


@pytest.mark.parametrize(
    ("cwd", "shared"), [("/data/exp", True), ("/data", True), ("/data/exp/a", True), ("/data/exp2", False)]
)
def test_an_active_run_above_or_below_shares_the_directory(home: Home, cwd: str, *, shared: bool) -> None:
    neighbours = DirectoryNeighbours(home, "mine", "/data/exp")
    assert not neighbours.is_shared()
    beside(home, "other", cwd, Running(since=1.0))
    assert neighbours.is_shared() is shared


def test_a_queued_run_shares_the_directory_only_once_it_starts(home: Home) -> None:
    neighbours = DirectoryNeighbours(home, "mine", "/data")
    directory = beside(home, "other", "/data", Queued(since=1.0))
    assert not neighbours.is_shared()
    enter(directory, Running(since=2.0))
    assert neighbours.is_shared()


def test_no_record_is_read_of_a_run_that_has_not_started_or_has_ended(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside(home, "queued", "/data", Queued(since=1.0))
    os.unlink(beside(home, "ended", "/data", Running(since=1.0)).environment_path)
    monkeypatch.delattr(RunDirectory, "read")
    assert not DirectoryNeighbours(home, "mine", "/data").is_shared()


def test_the_record_of_another_run_is_read_again_only_when_it_has_changed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    neighbours = DirectoryNeighbours(home, "mine", "/data")
    directory = beside(home, "other", "/data", Running(since=1.0))
    assert neighbours.is_shared()
    with monkeypatch.context() as unreadable:
        unreadable.delattr(RunDirectory, "read")
        assert neighbours.is_shared()
    enter(directory, Ended(at=2.0, status=Status.COMPLETED))
    assert not neighbours.is_shared()


def test_neither_the_run_itself_nor_a_broken_record_is_a_neighbour(home: Home) -> None:
    beside(home, "mine", "/data", Running(since=1.0))
    broken = beside(home, "broken", "/data", Running(since=1.0))
    Path(broken.file("run.json")).write_text("{")
    assert not DirectoryNeighbours(home, "mine", "/data").is_shared()
    os.unlink(broken.file("run.json"))
    assert not DirectoryNeighbours(home, "mine", "/data").is_shared()
