"""An opened log: position, scrolling, searches, status, and the thread that reads it."""

from __future__ import annotations

import os
import queue
import time
from pathlib import Path

import pytest

from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.log.escapes import plain_text
from backprop_tui.tui.log.page import LogPage, draw_status
from backprop_tui.tui.log.session import LogSession
from backprop_tui.tui.log.thread import LogThread

NOW = 2_000_000_000.0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(1, 1001)))
    return path


def opened(path: Path, *, failed: bool = False, live: bool = True, width: int = 40, height: int = 10) -> LogSession:
    session = LogSession(str(path), failed=failed, live=live)
    session.resize(width, height)
    settled(session)
    return session


def settled(session: LogSession) -> LogPage:
    session.poll()
    while session.has_work:
        session.work()
    return session.page(NOW)


def texts(page: LogPage) -> list[str]:
    return [plain_text(row.spans) for row in page.rows]


def status(page: LogPage, width: int = 120) -> str:
    return "".join(piece.text for piece in draw_status(page, width, UNICODE)).strip()


def grow(path: Path, content: bytes) -> None:
    with path.open("ab") as end:
        end.write(content)


def test_it_opens_at_the_end_before_anything_is_counted(log: Path) -> None:
    session = LogSession(str(log))
    session.resize(40, 3)
    session.poll()
    page = session.page(NOW)
    assert texts(page) == ["line 998", "line 999", "line 1000"]
    assert page.total is None
    assert "line counting 0 %" in status(page)


def test_following_shows_new_lines(log: Path) -> None:
    session = opened(log)
    grow(log, b"new\nlast")
    page = settled(session)
    assert texts(page)[-2:] == ["new", "last"]
    assert status(page).startswith("▾ following  line 1,002  ")


def test_scrolled_up_it_stays_where_it_is_while_the_log_grows(log: Path) -> None:
    session = opened(log)
    session.move(-5)
    before = settled(session)
    grow(log, b"new\n" * 500)
    after = settled(session)
    assert texts(after) == texts(before) == [f"line {number}" for number in range(986, 996)]
    assert status(after).startswith("▪ line 995 of 1,500")


def test_scrolled_down_to_the_end_it_follows_again(log: Path) -> None:
    session = opened(log)
    session.move(-5)
    assert not session.page(NOW).following
    session.move(4)
    assert not session.page(NOW).following
    session.move(1)
    session.move(1)
    assert session.page(NOW).following


def test_top_and_end(log: Path) -> None:
    session = opened(log)
    session.to_top()
    assert texts(session.page(NOW))[0] == "line 1"
    session.move(-3)
    assert texts(session.page(NOW))[0] == "line 1"
    session.to_end()
    assert texts(session.page(NOW))[-1] == "line 1000"


def test_wrapped_lines_are_scrolled_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"ab" * 5 + b"\n" + "日本語".encode() + b"\nend\n")
    session = opened(path, width=4, height=3)
    session.toggle_wrap()
    assert texts(session.page(NOW)) == ["日本", "語", "end"]
    session.move(-2)
    assert texts(session.page(NOW)) == ["abab", "ab", "日本"]
    session.move(1)
    assert texts(session.page(NOW)) == ["ab", "日本", "語"]


def test_a_truncated_log_is_read_from_its_start(log: Path) -> None:
    session = opened(log)
    log.write_bytes(b"again\n")
    page = settled(session)
    assert (texts(page), page.total) == (["again"], 1)


def test_a_removed_log_shows_its_path(log: Path) -> None:
    session = opened(log)
    log.unlink()
    assert status(settled(session)) == f"the log is gone  {log}"


def test_a_search_goes_to_the_next_match_and_counts_all(log: Path) -> None:
    session = opened(log)
    session.to_top()
    session.search("line 5.$")
    page = settled(session)
    assert page.search is not None
    assert (page.cursor_number, page.search.ordinal, page.search.count) == (50, 1, 10)
    session.next_match(forward=True)
    assert settled(session).cursor_number == 51
    session.next_match(forward=False)
    assert settled(session).cursor_number == 50
    session.next_match(forward=False)
    page = settled(session)
    assert page.cursor_number == 59
    assert "wrapped" in status(page)
    assert "/line 5.$ " in status(page)
    assert any(span.is_match for row in page.rows for span in row.spans)


def test_a_search_without_a_match_says_so_and_stays(log: Path) -> None:
    session = opened(log)
    session.search("nowhere")
    page = settled(session)
    assert page.following
    assert "no match" in status(page)


def test_an_invalid_expression_says_why(log: Path) -> None:
    session = opened(log)
    session.search("(")
    assert "invalid regular expression: missing )" in status(settled(session))


def test_a_failed_run_opens_at_the_last_error_of_its_log(log: Path) -> None:
    grow(log, b'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: x\n' + b"after\n" * 100)
    page = opened(log, failed=True, live=False).page(NOW)
    assert page.cursor_number == 1003
    assert status(page).startswith("▪ line 1,003 of 1,103")


def test_the_error_stays_visible_when_the_pane_shrinks(log: Path) -> None:
    grow(log, b"Traceback (most recent call last):\n" + b"  frame\n" * 6 + b"ValueError: no\nbye\n")
    session = opened(log, failed=True, height=10)
    assert "ValueError: no" in texts(settled(session))
    session.resize(40, 4)
    assert "ValueError: no" in texts(settled(session))
    session.move(-20)
    session.resize(40, 3)
    assert "ValueError: no" not in texts(settled(session))


def test_the_next_error_is_searched_from_the_top(log: Path) -> None:
    grow(log, b"Killed\nfine\nValueError: x\n")
    session = opened(log)
    session.to_top()
    numbers = []
    for _ in range(3):
        session.next_error()
        numbers.append(settled(session).cursor_number)
    assert numbers == [1001, 1003, 1001]


def test_an_ended_log_does_not_follow(log: Path) -> None:
    assert status(opened(log, live=False).page(NOW)).startswith("▪ at the end  line 1,000")


def test_it_is_quiet_only_after_ten_times_the_usual(log: Path) -> None:
    session = opened(log)
    for second in range(8):
        grow(log, b"x\n")
        os.utime(log, (NOW + second * 1.2, NOW + second * 1.2))
        session.poll()
    last = NOW + 7 * 1.2
    assert session.page(last + 11).usual_gap_seconds is None
    page = session.page(last + 372)
    assert "quiet for 6m12s, usually 1.2 s" in status(page)


def test_a_narrow_status_row_drops_whole_parts(log: Path) -> None:
    page = opened(log).page(time.time())
    assert status(page, 20) == "▾ following"
    for width in range(1, 100):
        assert sum(len(piece.text) for piece in draw_status(page, width, UNICODE)) <= width


def test_a_search_at_the_end_starts_with_the_last_match(log: Path) -> None:
    session = opened(log)
    session.search("line 5.$")
    page = settled(session)
    assert page.search is not None
    assert (page.cursor_number, page.search.ordinal, page.note) == (59, 10, "")


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
    assert pages.get(timeout=PATIENCE_SECONDS).cursor_number == 1
    thread.stop()
    thread._thread.join(PATIENCE_SECONDS)
    assert not thread._thread.is_alive()
    assert session._file._descriptor == -1
