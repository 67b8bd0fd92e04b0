"""The files of a run's directory, when they are not what they should be."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from backprop_tui.domain.requests import EditRequest, NoticeRequest
from backprop_tui.engine.queued_runs import apply_requests
from backprop_tui.store.run_directory import read_lines
from tests.support.runs import Runs


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink(path, path)])
def test_an_environment_that_is_no_file_keeps_no_run_from_ending(runs: Runs, make: Callable[[str], None]) -> None:
    directory = runs.queued("a")
    os.unlink(directory.environment_path)
    make(directory.environment_path)
    directory.delete_environment(directory.read())
    assert not os.path.lexists(directory.environment_path)


def test_lines_that_are_no_requests_are_skipped_with_a_notice(runs: Runs) -> None:
    directory, edit = runs.queued("a"), EditRequest(note="n")
    directory.append_request(edit)
    with open(directory.requests_path, "ab") as file:
        file.write(b'{"request": "fly"}\n\n\xff\r\x0b\n')
    requests, offset = directory.requests_after(0)
    message = 'requests.jsonl: 2 lines that this version does not understand skipped: \'{"request": "fly"}\''
    assert requests == [edit, NoticeRequest(message=message)]
    assert offset == os.path.getsize(directory.requests_path)
    assert apply_requests(directory, directory.read()).note == "n"
    assert [line["message"] for line in read_lines(directory.events_path) if line["event"] == "told"] == [message]
