"""The thread that reads the log."""

from __future__ import annotations

import queue
from pathlib import Path

from backprop_tui.tui.log.page import LogPage
from backprop_tui.tui.log.session import LogSession, LogThread

PATIENCE_SECONDS = 10


def test_an_exception_in_the_thread_is_shown(tmp_path: Path) -> None:
    pages: queue.SimpleQueue[LogPage] = queue.SimpleQueue()
    thread = LogThread(pages.put)
    thread.start()
    thread.open(LogSession(str(tmp_path / "log")))
    assert pages.get(timeout=PATIENCE_SECONDS).problem == "the log is gone"
    thread.submit(lambda session: 1 // 0)
    assert "ZeroDivisionError" in str(pages.get(timeout=PATIENCE_SECONDS).problem)


def test_a_command_is_carried_out_at_once_and_stopping_closes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\n")
    pages: queue.SimpleQueue[LogPage] = queue.SimpleQueue()
    thread = LogThread(pages.put, look_seconds=3600)
    session = LogSession(str(path))
    session.resize(80, 1)
    thread.start()
    thread.open(session)
    while pages.get(timeout=PATIENCE_SECONDS).total != 2:
        pass
    thread.submit(LogSession.to_top)
    assert pages.get(timeout=PATIENCE_SECONDS).first == 1
    thread.stop()
    thread._thread.join(PATIENCE_SECONDS)
    assert not thread._thread.is_alive()
    assert session._file._descriptor == -1
