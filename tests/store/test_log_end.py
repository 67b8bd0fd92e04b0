"""The end of a log, with line numbers."""

from __future__ import annotations

from pathlib import Path

from backprop_tui.store.log_end import END_BYTES, read_end


def test_a_short_log_is_read_from_where_the_attempt_began(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_bytes(b"a\nb\nc\n")
    assert read_end(str(log)) == (b"a\nb\nc\n", 1)
    assert read_end(str(log), 4) == (b"c\n", 3)
    assert read_end(str(log), 6) == (b"", 4)


def test_a_log_that_became_shorter_is_all_this_attempts(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_bytes(b"a\n")
    assert read_end(str(log), 99) == (b"a\n", 1)


def test_of_a_long_log_whole_lines_of_the_end_with_their_numbers(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(1, 100_001)))
    content, number = read_end(str(log))
    assert len(content) <= END_BYTES
    assert number is not None
    assert content.startswith(b"line %d\n" % number)


def test_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert read_end(str(tmp_path / "none")) == (b"", None)
