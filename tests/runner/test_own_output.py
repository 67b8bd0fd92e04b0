"""The part of a file that was fetched in a thread: every byte is read once, whatever overlaps."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Literal

import pytest

from backprop_tui.domain.live import Clock, Live, OwnLog
from backprop_tui.processes.linux import birth_time_ns
from backprop_tui.runner import own_output
from backprop_tui.runner.attempt_beginning import AttemptBeginning
from backprop_tui.runner.own_output import Fetched, FetchedTail, OwnOutput

LIVE = Live(attempt=1, runner_pid=1, script_pid=None, clock=Clock(mark=time.monotonic()), time=0.0)


def fetched(content: bytes, offset: int, *, size: int | None = None, restarted: bool = False) -> Fetched:
    """Content that ends at `offset`."""
    size = offset if size is None else size
    return Fetched(target=None, content=content, size=size, offset=offset, restarted=restarted, written_bytes=0)


def taken(tail: FetchedTail) -> bytes:
    return tail.chunk(100) if tail.look() else b""


def test_what_is_fetched_twice_is_read_once() -> None:
    tail = FetchedTail("/x", 10)
    tail.add(fetched(b"abc", 13))
    tail.add(fetched(b"abcde", 15))
    assert taken(tail) == b"abcde"
    assert tail.offset == 15


def test_what_the_reader_has_skipped_meanwhile_is_dropped() -> None:
    tail = FetchedTail("/x", 0)
    tail.offset = 100
    tail.add(fetched(b"abc", 3))
    assert taken(tail) == b""
    assert tail.fetched_to == 100
    tail.add(fetched(b"def", 103))
    assert taken(tail) == b"def"


def test_a_truncated_file_is_read_again_from_its_start() -> None:
    tail = FetchedTail("/x", 0)
    tail.add(fetched(b"old", 3))
    tail.add(fetched(b"n", 1, restarted=True))
    assert tail.look() == 1
    assert tail.restarted
    assert tail.chunk(100) == b"n"
    tail.add(fetched(b"ew", 3))
    assert tail.look() == 2
    assert not tail.restarted


def test_the_time_of_creation_is_known(tmp_path: Path) -> None:
    before_ns = time.time_ns() - 10**9
    path = tmp_path / "train.log"
    path.write_bytes(b"x")
    os.utime(path, (1.0, 1.0))
    born_at = birth_time_ns(str(path))
    assert born_at is None or before_ns < born_at < time.time_ns() + 10**9
    assert birth_time_ns(str(tmp_path / "missing")) is None


def test_a_file_that_this_process_prints_into_is_found_and_read_on_by_another(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(b"step 1 loss 0.5\n")
    known = OwnLog(path=str(path), attempt=1, offset=16)
    output = OwnOutput(str(tmp_path / "output.log"), str(tmp_path), tuple, known, AttemptBeginning(0.0, LIVE))
    output.adopt(known)
    with open(path, "ab") as file:
        file.write(b"step 2 loss 0.4\n")
    assert output.finish(5.0) is None
    assert output.tail is not None
    assert taken(output.tail) == b"step 2 loss 0.4\n"


class Training(subprocess.Popen[bytes]):
    """A process that prints to a file until its standard input is closed."""

    def __init__(self, path: Path, mode: Literal["wb", "ab"] = "wb") -> None:
        with open(path, mode) as file:
            super().__init__((sys.executable, "-c", "input()"), stdin=subprocess.PIPE, stdout=file)

    def __exit__(self, *_: object) -> None:
        self.communicate(b"\n")


class Looking:
    """Looks for the output of the processes in `running`."""

    def __init__(self, folder: Path, *running: Training, known: OwnLog | None = None, started_at: float = 0.0) -> None:
        self.running = [*running]
        start = AttemptBeginning(started_at, LIVE)
        self.output = OwnOutput(str(folder / "output.log"), str(folder), self._pids, known, start)
        self._now = time.monotonic()

    def _pids(self) -> list[int]:
        return [training.pid for training in self.running]

    def look(self, times: int = 1) -> list[str]:
        """The names of the new targets of so many looks."""
        targets = []
        for _ in range(times):
            before = set(threading.enumerate())
            self._now += 100.0
            self.output.check(self._now)
            for thread in set(threading.enumerate()) - before:
                thread.join()
            targets.append(self.output.check(0.0))  # takes the result, and starts no other look
        return [os.path.basename(target.path) for target in targets if target is not None]


def test_redirected_output_is_followed_once_two_looks_have_seen_it(tmp_path: Path) -> None:
    with Training(tmp_path / "train.log") as training:
        looking = Looking(tmp_path, training)
        assert looking.look() == []
        assert looking.look() == ["train.log"]


def test_what_a_short_training_redirected_is_read_at_its_end(tmp_path: Path) -> None:
    with Training(tmp_path / "train.log") as training:
        looking = Looking(tmp_path, training)
        looking.look()
    looking.running.clear()
    target = looking.output.finish(5.0)
    assert target is not None
    assert target.path == str(tmp_path / "train.log")


def test_a_helper_that_starts_before_the_training_is_not_followed(tmp_path: Path) -> None:
    with Training(tmp_path / "server.log") as server, Training(tmp_path / "output.log") as training:
        looking = Looking(tmp_path, server)
        looking.look()
        looking.running.append(training)
        assert looking.look(3) == []


def test_a_helper_that_outlives_the_training_is_not_followed(tmp_path: Path) -> None:
    with Training(tmp_path / "server.log") as server:
        with Training(tmp_path / "output.log") as training:
            looking = Looking(tmp_path, server, training)
            looking.look()
        looking.output.log_has_figures = True
        looking.running.remove(training)
        assert looking.look(3) == []
        assert looking.output.finish(5.0) is None


def test_a_helper_that_only_the_last_look_sees_is_not_followed(tmp_path: Path) -> None:
    with Training(tmp_path / "server.log") as server:
        looking = Looking(tmp_path, server)
        looking.output.log_has_figures = True
        assert looking.output.finish(5.0) is None


def test_a_training_that_follows_a_preparation_with_figures_is_followed(tmp_path: Path) -> None:
    with Training(tmp_path / "train.log") as training:
        looking = Looking(tmp_path, training)
        looking.output.log_has_figures = True
        assert looking.look(3) == ["train.log"]


def test_the_next_file_is_followed_by_the_look_that_reads_the_rest_of_the_last_one(tmp_path: Path) -> None:
    first, second = tmp_path / "seed-1.log", tmp_path / "seed-2.log"
    first.write_bytes(b"step 1\n")
    known = OwnLog(path=str(first), attempt=1, offset=0)
    with Training(second) as training:
        second.write_bytes(b"step 2\n")
        output = Looking(tmp_path, training, known=known).output
        output.adopt(known)
        last = output.tail
        target = output.finish(5.0)
    assert last is not None
    assert taken(last) == b"step 1\n"
    assert target is not None
    assert target.path == str(second)
    assert output.tail is not None
    assert taken(output.tail) == b"step 2\n"


HOUR = 3600.0


@pytest.mark.parametrize(("is_there_before", "start"), [(False, 0), (True, 7)])
def test_of_a_file_that_is_appended_to_only_what_is_new_is_read_although_the_clock_was_set_back(
    tmp_path: Path,
    *,
    is_there_before: bool,
    start: int,
) -> None:
    """The attempt began an hour later by the clock as it was then, so its files seem to be older."""
    if is_there_before:
        (tmp_path / "train.log").write_bytes(b"step 1\n")
    looking = Looking(tmp_path, started_at=time.time() + HOUR)
    looking.look()
    with Training(tmp_path / "train.log", "ab") as training:
        looking.running.append(training)
        assert looking.look(2) == ["train.log"]
    target = looking.output._target
    assert target is not None
    assert target.problem is None
    assert target.start == start


def test_a_file_elsewhere_may_have_been_there_before_the_clock_was_set_back(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "train.log").write_bytes(b"step 1\n")
    looking = Looking(tmp_path / "work", started_at=time.time() + HOUR)
    looking.look()
    with Training(tmp_path / "train.log", "ab") as training:
        looking.running.append(training)
        assert looking.look(2) == ["train.log"]
    target = looking.output._target
    assert target is not None
    assert target.problem is None
    assert target.start == 7


def test_a_directory_with_too_many_files_to_look_at_may_have_had_the_file_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_output, "_MAX_ENTRIES", 1)
    for name in ("a", "train.log"):
        (tmp_path / name).write_bytes(b"step 1\n")
    looking = Looking(tmp_path, started_at=time.time() + HOUR)
    looking.look()
    with Training(tmp_path / "train.log", "ab") as training:
        looking.running.append(training)
        assert looking.look(2) == ["train.log"]
    target = looking.output._target
    assert target is not None
    assert target.problem is None
    assert target.start == 7


def test_a_training_that_starts_after_silent_preparations_is_followed_too(tmp_path: Path) -> None:
    looking = Looking(tmp_path)
    looking.look()
    with Training(tmp_path / "train.log") as training:
        looking.running.append(training)
        assert looking.look() == []
        assert looking.look() == ["train.log"]
    target = looking.output._target
    assert target is not None
    assert target.problem is None
