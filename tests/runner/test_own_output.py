"""The part of a file that was fetched in a thread: every byte is read once, whatever overlaps."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from backprop_tui.domain.live import OwnLog
from backprop_tui.processes.linux import birth_time_ns
from backprop_tui.runner.own_output import Fetched, FetchedTail, OwnOutput


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
    output = OwnOutput(str(tmp_path / "output.log"), str(tmp_path), tuple, known)
    output.adopt(known)
    with open(path, "ab") as file:
        file.write(b"step 2 loss 0.4\n")
    assert output.finish(5.0) is None
    assert output.tail is not None
    assert taken(output.tail) == b"step 2 loss 0.4\n"


def test_the_next_file_is_followed_by_the_look_that_reads_the_rest_of_the_last_one(tmp_path: Path) -> None:
    first, second = tmp_path / "seed-1.log", tmp_path / "seed-2.log"
    first.write_bytes(b"step 1\n")
    known = OwnLog(path=str(first), attempt=1, offset=0)
    with open(second, "wb", buffering=0) as file:
        file.write(b"step 2\n")
        training = subprocess.Popen((sys.executable, "-c", "input()"), stdin=subprocess.PIPE, stdout=file)
        output = OwnOutput(str(tmp_path / "output.log"), str(tmp_path), lambda: [training.pid], known)
        output.adopt(known)
        last = output.tail
        try:
            target = output.finish(5.0)
        finally:
            training.communicate(b"\n")
    assert last is not None
    assert taken(last) == b"step 1\n"
    assert target is not None
    assert target.path == str(second)
    assert output.tail is not None
    assert taken(output.tail) == b"step 2\n"
