"""`logs` prints what scripts printed, and with -f what they go on to print."""

from __future__ import annotations

import threading

import pytest

from backprop_tui.cli.parser import parse
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.live import OwnLog
from backprop_tui.domain.status import Status
from backprop_tui.store import index
from tests.support.runs import Guardian, Runs

Capture = pytest.CaptureFixture[bytes]


def _logs(session: Session, *words: str) -> int:
    typed = parse(["logs", *words])
    assert typed.execute is not None
    return typed.execute(typed.arguments, session)


def test_one_log_is_printed_byte_for_byte(session: Session, runs: Runs, capfdbinary: Capture) -> None:
    guardian = runs.guarded("abc")
    guardian.prints(b"10%\r100%\r\n\xff\x00 no end")
    assert _logs(session, "abc") == 0
    assert capfdbinary.readouterr().out == b"10%\r100%\r\n\xff\x00 no end"


@pytest.mark.parametrize(
    ("problem", "reading"), [(None, "read"), ("it is discarded", "nothing can be read: it is discarded")]
)
def test_it_says_where_the_output_goes(
    session: Session, runs: Runs, capfdbinary: Capture, problem: str | None, reading: str
) -> None:
    runs.guarded("abc").says(own_log=OwnLog(path="/data/train.log", attempt=1, problem=problem))
    assert _logs(session, "abc") == 0
    assert f"output goes to /data/train.log ({reading})" in capfdbinary.readouterr().err.decode()


@pytest.mark.parametrize(
    ("count", "printed"), [(0, b""), (1, b"three\n"), (2, b"two\nthree\n"), (9, b"one\ntwo\nthree\n")]
)
def test_the_last_lines_are_enough_where_they_are_asked_for(
    session: Session, runs: Runs, capfdbinary: Capture, count: int, printed: bytes
) -> None:
    runs.guarded("abc").prints(b"one\ntwo\nthree\n")
    _logs(session, "abc", "-n", str(count))
    assert capfdbinary.readouterr().out == printed


def test_following_ends_with_the_run_and_goes_over_its_attempts(
    session: Session, runs: Runs, capfdbinary: Capture
) -> None:
    guardian = runs.guarded("abc", spec={"retries": 1})
    guardian.prints(b"one\n")

    def train() -> None:
        guardian.prints(b"two\n")
        guardian.ends(Status.FAILED, exit_code=1)
        second = Guardian(guardian.directory)
        second.prints(b"three")
        second.ends()

    threading.Thread(target=train, daemon=True).start()
    assert _logs(session, "abc", "-f") == 0
    assert capfdbinary.readouterr().out == b"one\ntwo\nthree"


def test_several_logs_are_prefixed_with_the_names_of_their_runs(
    session: Session, runs: Runs, capfdbinary: Capture
) -> None:
    runs.guarded("a", name="train").prints(b"x\nhalf")
    runs.guarded("b", name="test").prints(b"y\n")
    _logs(session, "a", "b")
    assert capfdbinary.readouterr().out == b"train | x\ntrain | half\ntest  | y\n"


def test_runs_of_the_same_name_are_prefixed_with_their_ids(session: Session, runs: Runs, capfdbinary: Capture) -> None:
    runs.guarded("a", name="same").prints(b"x\n")
    runs.guarded("b", name="same").prints(b"y\n")
    _logs(session, "--all")
    assert capfdbinary.readouterr().out == b"a | x\nb | y\n"


def test_following_all_follows_those_that_come_later(session: Session, runs: Runs, capfdbinary: Capture) -> None:
    """Even one that ends before it was looked for."""
    first = runs.guarded("first")

    def train() -> None:
        later = runs.guarded("later")
        later.prints(b"hello\n")
        later.ends()
        first.ends()

    threading.Thread(target=train, daemon=True).start()
    assert _logs(session, "--all", "-f") == 0
    assert b"later | hello\n" in capfdbinary.readouterr().out


def test_a_run_that_printed_nothing_says_so(session: Session, runs: Runs, capfd: pytest.CaptureFixture[str]) -> None:
    runs.queued("abc")
    assert _logs(session, "abc") == 0
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "run abc is waiting and has printed nothing yet\n")


def test_the_original_kept_no_logs(session: Session) -> None:
    index.update(session.home, {"old": {"id": "old", "name": "old", "status": Status.LOST}})
    with pytest.raises(UsageError, match="kept no logs"):
        _logs(session, "old")


@pytest.mark.parametrize("words", [[], ["--all", "abc"], ["abc", "-n", "-1"], ["abc", "-n", "x"]])
def test_contradicting_arguments_are_refused(session: Session, words: list[str]) -> None:
    with pytest.raises(UsageError):
        _logs(session, *words)
