"""Files that are written in a directory are noticed."""

from __future__ import annotations

import resource
import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backprop_tui.processes.directory_watch import DirectoryWatch
from backprop_tui.store.files import append_line, write_atomically


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[DirectoryWatch]:
    watch = DirectoryWatch(str(tmp_path))
    yield watch
    watch.close()


def test_appended_and_replaced_files_are_named_once(tmp_path: Path, watch: DirectoryWatch) -> None:
    assert watch.descriptor is not None
    assert not select.select([watch.descriptor], [], [], 0)[0]
    append_line(str(tmp_path / "requests.jsonl"), b"{}")
    write_atomically(str(tmp_path / "live.json"), b"{}", durable=False)
    assert select.select([watch.descriptor], [], [], 0)[0]
    assert watch.written() >= {"requests.jsonl", "live.json"}
    assert watch.written() == set()


def test_a_file_that_is_only_written_to_is_not_noticed(tmp_path: Path, watch: DirectoryWatch) -> None:
    with (tmp_path / "output.log").open("ab", buffering=0) as log:
        log.write(b"step 1\n")
        assert watch.written() == set()


def test_a_directory_that_was_replaced_is_watched_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    watch = DirectoryWatch(str(folder))
    folder.rename(tmp_path / "gone")
    folder.mkdir()
    watch.renew()
    watch.written()
    (folder / "requests.jsonl").touch()
    assert "requests.jsonl" in watch.written()
    watch.close()


def test_there_is_no_descriptor_without_a_directory(tmp_path: Path) -> None:
    watch = DirectoryWatch(str(tmp_path / "missing"))
    assert watch.descriptor is None
    assert watch.written() == set()


@contextmanager
def _no_more_descriptors() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_there_is_no_descriptor_where_a_limit_refuses_one(tmp_path: Path) -> None:
    DirectoryWatch(str(tmp_path)).close()  # loads what it needs
    with _no_more_descriptors():
        assert DirectoryWatch(str(tmp_path)).descriptor is None
