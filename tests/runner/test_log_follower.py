"""A log that is read while it grows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backprop_tui.runner import log_follower
from backprop_tui.runner.log_follower import (
    CHUNK_SECONDS,
    MAX_CHUNK_BYTES,
    MIN_CHUNK_BYTES,
    LogFollower,
    LogPosition,
    cut_torn_line,
    newest_lines,
    recover_offset,
)
from backprop_tui.store.run_directory import RunDirectory, read_lines

LINE = b'{"step": %d, "loss": 0.5}\n'


class Log:
    """The log of a run and its follower."""

    def __init__(self, folder: str) -> None:
        self.directory = RunDirectory(folder)
        self.follower = self.follow()

    def follow(self, offset: int = 0, metrics_from: int = 0) -> LogFollower:
        start = LogPosition(offset=offset, metrics_from=metrics_from, announced_from=metrics_from)
        return LogFollower(self.directory, start)

    def prints(self, content: bytes) -> None:
        with open(self.directory.log, "ab") as file:
            file.write(content)

    def steps(self) -> list[int | None]:
        """The new steps."""
        steps, more = [], True
        while more:
            values, more = self.follower.read(0.0)
            steps += [value.step for value in values]
        self.follower.write_metrics()
        return steps

    def written(self) -> list[object]:
        return [line["step"] for line in read_lines(self.directory.file("metrics.jsonl"))]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(str(tmp_path))


def test_a_missing_log_has_no_values(log: Log) -> None:
    assert log.steps() == []


def test_each_line_is_read_once_as_soon_as_it_is_complete(log: Log) -> None:
    log.prints(LINE % 1 + b'{"step": 2,')
    assert log.steps() == [1]
    log.prints(b' "loss": 1}\n')
    assert log.steps() == [2]
    assert log.steps() == []
    assert log.written() == [1, 2]


def test_a_last_line_without_an_end_is_read_when_the_script_is_dead(log: Log) -> None:
    log.prints(b'{"step": 1, "loss": 1}')
    assert log.steps() == []
    assert [getattr(value, "step", None) for value in log.follower.finish(0.0)] == [1]


def test_a_truncated_log_is_read_from_its_beginning(log: Log) -> None:
    log.prints(LINE % 1 + LINE % 2)
    log.steps()
    os.truncate(log.directory.log, 0)
    log.prints(LINE % 3)
    assert log.steps() == [3]
    assert log.follower.generation == 1


def test_a_new_guardian_continues_where_metrics_end(log: Log) -> None:
    log.prints(LINE % 1)
    log.steps()
    offset = recover_offset(log.directory, 0)
    assert offset == len(LINE % 1)
    log.prints(LINE % 2)
    log.follower = log.follow(0, metrics_from=offset)
    log.steps()
    assert log.written() == [1, 2]


def test_the_end_of_very_long_metrics_gives_the_offset(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in range(200):
        log.prints(LINE % step)
    log.steps()
    monkeypatch.setattr(log_follower, "NEWEST_BYTES", 1000)
    assert len(list(newest_lines(log.directory))) < 20
    assert recover_offset(log.directory, 0) == os.path.getsize(log.directory.log)


def test_an_incomplete_last_line_of_metrics_is_cut(log: Log) -> None:
    path = log.directory.file("metrics.jsonl")
    with open(path, "wb") as file:
        file.write(b'{"step": 1, "offset": 9, "generation": 0}\n{"step": 2, "off')
    assert recover_offset(log.directory, 0) == 9
    with open(path, "rb") as file:
        assert file.read().endswith(b"}\n")
    cut_torn_line(log.directory.file("none.jsonl"))


def test_a_log_that_grows_faster_than_it_is_read_is_read_near_its_end(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_follower, "MAX_BACKLOG_BYTES", 1000)
    monkeypatch.setattr(log_follower, "SKIP_TO_BYTES", 100)
    for step in range(100):
        log.prints(LINE % step)
    steps = log.steps()
    assert steps[-1] == 99
    assert len(steps) < 6


def read_bytes(log: Log, *, cost: float) -> int:
    """How much of the log is read at once after several chunks that cost so much."""
    for _ in range(10):
        before = log.follower._tail.offset
        log.follower.read(0.0)
        log.follower.note_cost(cost)
    return log.follower._tail.offset - before


def test_a_chunk_is_as_large_as_the_time_for_it_allows(log: Log) -> None:
    log.prints(b"nothing\n" * 400_000)
    assert read_bytes(log, cost=0.0) == MAX_CHUNK_BYTES
    assert read_bytes(log, cost=10 * CHUNK_SECONDS) == MIN_CHUNK_BYTES


def test_a_quiet_script_makes_no_chunk_larger(log: Log) -> None:
    read_bytes(log, cost=0.0)
    log.prints(b"nothing\n" * 400_000)
    log.follower.read(0.0)
    assert log.follower._tail.offset == MIN_CHUNK_BYTES


def test_skipped_output_is_reported_with_its_newest_checkpoints(log: Log) -> None:
    for number in range(30):
        log.prints(b"x" * 30_000 + b"\nsaved checkpoint to out/ck%d.pt\n" % number)
    log.prints(LINE % 7 * 10)
    log.follower.read(0.0)
    start = log.follower._tail.offset
    log.follower.skip(len(LINE % 7) * 10)
    [skipped] = log.follower.take_skipped()
    assert (skipped.start, skipped.end) == (start, os.path.getsize(log.directory.log) - len(LINE % 7) * 10)
    assert [saved.path for saved in skipped.checkpoints] == [f"out/ck{number}.pt" for number in range(10, 30)]
    assert skipped.message.startswith("0.9 MB of output were not read")
    assert not log.follower.take_skipped()
    log.follower.write_metrics()
    [line] = newest_lines(log.directory)
    assert (line["skipped_bytes"], line["offset"], line["metrics"]) == (skipped.end - start, skipped.end, {})
    assert log.steps() == [7]
