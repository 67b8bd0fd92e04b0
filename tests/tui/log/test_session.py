"""An opened log: position, scrolling, searches, status, and the thread that reads it."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.log.escapes import plain_text
from backprop_tui.tui.log.page import AttemptStart, LineKind, LogPage, Problem, draw_status
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
    assert "line counting 0 %" in status(replace(page, size=1 << 30))


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


@pytest.mark.parametrize("begin", [LogSession.search, LogSession.show_only])
def test_an_invalid_expression_is_reported_at_any_width(log: Path, begin: Callable[[LogSession, str], None]) -> None:
    session = opened(log)
    begin(session, "(abc")
    assert status(settled(session), 60).partition("(abc  ")[2].startswith("invalid regular expression: missing )")


def test_a_filter_that_matches_no_line_says_so(log: Path) -> None:
    session = opened(log)
    session.next_error()
    session.show_only("zzz")
    assert status(settled(session)) == "&zzz matches no line  esc all lines"


def test_a_short_log_shows_no_counting(tmp_path: Path) -> None:
    path = tmp_path / "short.log"
    path.write_bytes(b"line\n" * 5)
    session = LogSession(str(path))
    session.resize(40, 3)
    session.poll()
    assert "counting" not in status(session.page(NOW))


def test_a_failed_run_goes_to_its_error_once_that_is_written(log: Path) -> None:
    session = opened(log, failed=True, live=False)
    assert "no error" not in status(session.page(NOW))
    grow(log, b"ValueError: late\n" + b"after\n" * 50)
    assert at_cursor(settled(session)) == "ValueError: late"
    session.to_end()
    grow(log, b"ValueError: later\n")
    assert settled(session).following


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
    assert "quiet for 6m12s, usually 1.2s" in status(page)


def test_an_age_that_looks_the_same_is_no_news(log: Path) -> None:
    session = opened(log)
    settled(session)
    last = os.stat(log).st_mtime
    assert session.page(last + 9.2) != session.page(last + 10.2)
    assert session.page(last + 10.2) == session.page(last + 14.8)
    assert session.page(last + 15.2) != session.page(last + 14.8)


@pytest.mark.parametrize(("live", "looks"), [(True, 1), (False, 4)])
def test_the_log_of_an_ended_run_is_looked_at_less_often(log: Path, live: bool, looks: int) -> None:  # noqa: FBT001
    thread = LogThread(lambda _page: None, look_seconds=100.0)
    thread.open(opened(log, live=live))
    thread._turn()
    while thread._session is not None and thread._session.has_work:
        thread._session.work()
    assert 100.0 * (looks - 1) < (thread._seconds_to_wait() or 0.0) <= 100.0 * looks


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


def marks(page: LogPage) -> list[str]:
    return [plain_text(row.spans) for row in page.rows if row.start in page.marked]


def at_cursor(page: LogPage) -> str:
    return next(plain_text(row.spans) for row in page.rows if row.start == page.cursor)


def test_the_cursor_follows_until_it_is_moved_and_again_beyond_the_last_line(log: Path) -> None:
    session = opened(log)
    assert at_cursor(session.page(NOW)) == "line 1000"
    session.step(-1)
    page = session.page(NOW)
    assert (at_cursor(page), page.following, page.cursor_number) == ("line 999", False, 999)
    assert texts(page)[-1] == "line 1000"  # it scrolls only when it has to
    session.step(-9)
    assert texts(session.page(NOW))[0] == at_cursor(session.page(NOW)) == "line 990"
    session.step(10)
    assert at_cursor(session.page(NOW)) == "line 1000"
    assert not session.page(NOW).following
    session.step(1)
    assert session.page(NOW).following


def test_pages_and_the_wheel_keep_the_cursor_visible(log: Path) -> None:
    session = opened(log)
    session.to_top()
    session.step(3)
    session.move(9, carry=True)
    assert (texts(session.page(NOW))[0], at_cursor(session.page(NOW))) == ("line 10", "line 13")
    session.move(3)
    assert at_cursor(session.page(NOW)) == "line 13"
    session.move(5)
    assert at_cursor(session.page(NOW)) == texts(session.page(NOW))[0] == "line 18"
    session.move(-30, carry=True)
    session.move(-30, carry=True)
    assert at_cursor(session.page(NOW)) == "line 1"


def test_a_wrapped_line_under_the_cursor_is_visible_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"%d " % number + b"x" * 20 + b"\n" for number in range(10)))
    session = opened(path, width=8, height=7)
    session.toggle_wrap()
    session.to_top()
    session.step(2)
    assert texts(session.page(NOW))[-3:] == ["2 xxxxxx", "xxxxxxxx", "xxxxxx"]
    session.step(-2)
    assert texts(session.page(NOW))[0].startswith("0")


def test_marked_lines_are_copied_as_they_were_printed_but_without_control_sequences(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a\tb \x1b[31mred\x1b[0m\n\x1b]52;c;aGk=\x07two\xe2\x80\xae\n 1%\r 2%\nlast\n")
    session = opened(path)
    session.to_top()
    session.toggle_mark()
    session.extend_marks(1)
    assert marks(session.page(NOW)) == ["a       b red", "two", " 2%"]
    assert session.take_chosen() == ["a\tb red", "two", " 2%"]
    assert session.page(NOW).marked == frozenset()
    assert session.take_chosen() == [" 2%"]  # the line of the cursor


def test_a_line_is_found_by_its_number_before_it_is_counted(log: Path) -> None:
    session = LogSession(str(log))
    session.resize(40, 5)
    session.poll()
    session.to_number(812)
    page = settled(session)
    assert (at_cursor(page), page.cursor_number) == ("line 812", 812)
    assert status(page).startswith("▪ line 812 of 1,000")
    session.to_number(5000)
    assert at_cursor(settled(session)) == "line 1000"
    session.to_number(0)
    assert at_cursor(settled(session)) == "line 1"


def test_only_matching_lines_are_shown_with_their_own_numbers_and_the_place_is_kept_afterwards(log: Path) -> None:
    session = opened(log)
    session.to_number(500)
    settled(session)
    session.show_only("line .*7$")
    page = settled(session)
    assert at_cursor(page) == "line 507"
    assert {text[-1] for text in texts(page)} == {"7"}
    assert "&line .*7$ 100" in status(page)
    session.step(1)
    assert (at_cursor(session.page(NOW)), session.page(NOW).cursor_number) == ("line 517", 517)
    session.show_only("")
    assert at_cursor(settled(session)) == "line 517"
    assert "line 516" in texts(session.page(NOW))


def test_new_matching_lines_appear_while_a_filter_follows(log: Path) -> None:
    session = opened(log)
    session.show_only("wanted")
    assert texts(settled(session)) == []
    grow(log, b"other\nwanted 1\nother\nwan")
    assert texts(settled(session)) == ["wanted 1"]
    grow(log, b"ted 2\nother\n")
    assert texts(settled(session)) == ["wanted 1", "wanted 2"]


def test_a_search_in_a_filtered_log_finds_only_what_is_shown(log: Path) -> None:
    session = opened(log)
    session.show_only("9$")
    session.search("line 10?9$")
    page = settled(session)
    assert page.search is not None
    assert (at_cursor(page), page.search.count) == ("line 109", 2)
    session.escape()
    assert session.page(NOW).search is None
    session.escape()
    assert session.page(NOW).filter is None


def test_attempts_are_ruled_off_even_within_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\nhalf a linetwo\nthree\n")
    starts = (AttemptStart(15, "attempt 2"), AttemptStart(19, "attempt 3"))
    session = LogSession(str(path), attempts=starts)
    session.resize(40, 10)
    page = settled(session)
    assert texts(page) == ["one", "half a line", "attempt 2", "two", "attempt 3", "three"]
    assert [row.kind for row in page.rows].count(LineKind.RULE) == 2
    assert page.total == 3
    session.step(-1)
    assert session.take_chosen() == ["half a linetwo"]


def test_after_a_retry_that_fails_again_the_log_is_at_the_error_of_the_new_attempt(log: Path) -> None:
    grow(log, b"ValueError: first\n" + b"after\n" * 50)
    session = opened(log, failed=True, live=False)
    assert at_cursor(session.page(NOW)) == "ValueError: first"
    starts = (AttemptStart(log.stat().st_size, "attempt 2"),)
    session.attend(starts, live=True, failed=False)
    assert settled(session).following
    grow(log, b"again\nValueError: second\n" + b"after\n" * 50)
    settled(session)
    session.attend(starts, live=False, failed=True)
    assert at_cursor(settled(session)) == "ValueError: second"


def test_an_attempt_without_an_error_does_not_show_that_of_the_one_before(log: Path) -> None:
    grow(log, b"ValueError: first\n")
    starts = (AttemptStart(log.stat().st_size, "attempt 2"),)
    grow(log, b"killed silently\n" * 50)
    session = LogSession(str(log), failed=True, live=False, attempts=starts)
    session.resize(40, 10)
    assert settled(session).following


def test_a_reader_elsewhere_is_not_moved_by_a_retry(log: Path) -> None:
    grow(log, b"ValueError: first\n")
    session = opened(log, failed=True, live=False)
    session.step(-20)
    before = texts(session.page(NOW))
    session.attend((), live=True, failed=False)
    session.attend((), live=False, failed=True)
    assert texts(settled(session)) == before


def test_the_edge_shows_where_errors_are_and_leads_there(log: Path) -> None:
    lines = [b"line %d\n" % number for number in range(1000)]
    lines[250], lines[755] = b"ERROR one\n", b"WARNING two\n"
    log.write_bytes(b"".join(lines))
    session = opened(log)
    page = settled(session)
    assert [(row, worst) for row, worst in enumerate(page.edge) if worst] == [(2, Problem.ERROR), (7, Problem.WARNING)]
    assert page.thumb == range(9, 10)
    session.to_edge(7)
    assert at_cursor(settled(session)) == "WARNING two"
    session.to_edge(2)
    assert at_cursor(settled(session)) == "ERROR one"
    session.to_edge(0)
    assert at_cursor(settled(session)) == "line 0"


def test_a_log_that_is_visible_as_a_whole_has_no_thumb(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"ValueError: x\n")
    assert not opened(path).page(NOW).thumb
