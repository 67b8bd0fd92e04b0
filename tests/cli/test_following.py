"""A run is followed from the outside, to its end, and Ctrl-C stops it."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.event_stream import Event, EventStream, Pace
from backprop_tui.cli.following import Following
from backprop_tui.cli.presenters import PlainOutput, presenter_for
from backprop_tui.cli.session import Interrupts, Session
from backprop_tui.client.runs import FileSizes, current_sizes
from backprop_tui.domain.errors import HeldByGovernor, Interrupted
from backprop_tui.domain.lifecycle import requeue_ended
from backprop_tui.domain.requests import StopRequest
from backprop_tui.domain.run import Cause
from backprop_tui.domain.status import Status
from backprop_tui.store.files import dump
from tests.support.runs import Guardian, Runs
from tests.support.waiting import wait_until

Capture = pytest.CaptureFixture[str]
PACE = "to start it sooner (0: no limit): backprop-tui config set governor.starts_per_minute 0"


class Follower:
    """Follows in this thread while what is given happens in another."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.interrupts = Interrupts()

    def follow(self, meanwhile: Callable[[], object], *run_ids: str, start: FileSizes | None = None) -> int:
        starts = dict.fromkeys(run_ids, start or FileSizes())
        following = Following(self.session, starts, presenter_for(self.session, run_ids), self.interrupts)
        thread = threading.Thread(target=meanwhile, daemon=True)
        thread.start()
        code = following.to_the_end()
        thread.join(20.0)
        return code


@pytest.fixture
def follower(session: Session) -> Follower:
    return Follower(session)


def test_the_output_is_passed_on_byte_for_byte(
    follower: Follower, runs: Runs, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    guardian = runs.guarded("abc")
    printed = [b"one\n", b"50%\r", b"100%\r\n", bytes(range(256)), b"no end"]

    def train() -> None:
        for part in printed:
            guardian.prints(part)
            time.sleep(0.003)
        guardian.ends()

    assert follower.follow(train, "abc") == 0
    assert capfdbinary.readouterr().out == b"".join(printed)


def test_more_than_a_reader_takes_at_once_arrives_whole(
    follower: Follower, runs: Runs, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    guardian = runs.guarded("abc")
    printed = os.urandom(5_000_000)

    def train() -> None:
        guardian.prints(printed)
        guardian.ends()

    follower.follow(train, "abc")
    assert capfdbinary.readouterr().out == printed


def test_messages_of_the_program_go_to_stderr_in_plain_lines(follower: Follower, runs: Runs, capfd: Capture) -> None:
    guardian = runs.guarded("abc", name="train")

    def train() -> None:
        guardian.tells("paused", "GPU 0 at 91 C")
        cause = Cause(kind="python_error", evidence="ValueError: x", advice="fix the script, then resume")
        guardian.ends(Status.FAILED, exit_code=3, reason="ValueError: x", cause=cause)

    assert follower.follow(train, "abc") == 3
    output = capfd.readouterr()
    assert output.out == ""
    assert output.err.splitlines() == [
        "abc (train): queued",
        "abc (train): started: attempt 1",
        "abc (train): paused: GPU 0 at 91 C",
        "abc (train): failed with exit code 3 after 0s; ValueError: x; fix the script, then run it again:",
        "  backprop-tui resume abc",
    ]


def test_the_end_says_the_exit_code_once(follower: Follower, runs: Runs, capfd: Capture) -> None:
    guardian = runs.guarded("abc", name="train")
    reason = "exit code 3, last line: no images"
    cause = Cause(kind="unknown", evidence="no images", advice="read the end of the log")
    assert follower.follow(lambda: guardian.ends(Status.FAILED, exit_code=3, reason=reason, cause=cause), "abc") == 3
    assert "failed with exit code 3 after 0s; last line: no images; read the end of the log" in capfd.readouterr().err


def test_what_the_script_printed_is_shown_before_its_end_and_after_its_start(
    follower: Follower, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guardian = runs.guarded("abc", spec={"retries": 1})
    guardian.prints(b"Traceback 1\n")
    guardian.ends(Status.FAILED, exit_code=1)
    guardian.tells("attempt_ended", "exit code 1")
    second = Guardian(guardian.directory)
    second.ends(Status.FAILED, exit_code=1)
    guardian.prints(b"Traceback 2\n")
    with open(tmp_path / "both", "w+", encoding="utf-8") as both:
        monkeypatch.setattr(sys, "stdout", both)
        monkeypatch.setattr(sys, "stderr", both)
        follower.follow(lambda: None, "abc")
    shown = (tmp_path / "both").read_text()
    words = re.findall("Traceback .|attempt 1$|attempt ended|failed with", shown, re.MULTILINE)
    assert words == ["attempt 1", "Traceback 1", "Traceback 2", "attempt ended", "failed with"]


def test_a_message_waits_for_a_slow_reader_of_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    messages: list[str] = []
    monkeypatch.setattr(diagnostics, "say", messages.append)
    monkeypatch.setattr(output, "write_available", lambda _: 0)
    shown = PlainOutput({"abc": "abc"})
    shown.offer("abc", b"Traceback\n")
    shown.event(Event(kind="warned", run_id="abc", time=None, message="soon"))
    assert (shown.flush(), messages) == (False, [])
    monkeypatch.setattr(output, "write_available", len)
    assert (shown.flush(), messages) == (True, ["abc: warned: soon"])


def test_json_events_are_lines_and_the_last_has_the_whole_run(session: Session, runs: Runs, capfd: Capture) -> None:
    from dataclasses import replace

    guardian = runs.guarded("abc")

    def train() -> None:
        guardian.prints(b"not shown\n")
        guardian.tells("warned", "for people only")
        guardian.measures(1, loss=0.5)
        guardian.tells("checkpoint", "saved", path="/c", step=1)
        guardian.ends()

    assert Follower(replace(session, json=True)).follow(train, "abc") == 0
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert sorted(event["event"] for event in events) == ["checkpoint", "ended", "progress", "queued", "started"]
    assert all(set(event) >= {"event", "time", "run"} for event in events)
    assert all(event["run"] == "abc" for event in events[:-1])
    assert events[-1]["run"]["id"] == "abc"
    assert events[-1]["run"]["status"] == "completed"


def test_following_continues_over_attempts(follower: Follower, runs: Runs, capfd: Capture) -> None:
    guardian = runs.guarded("abc", spec={"retries": 1})

    def train() -> None:
        guardian.prints(b"first\n")
        guardian.ends(Status.FAILED, exit_code=1)
        second = Guardian(guardian.directory)
        second.prints(b"second\n")
        second.ends()

    assert follower.follow(train, "abc") == 0
    assert capfd.readouterr().out == "first\nsecond\n"


def test_a_resumed_run_is_followed_from_its_new_attempt_on(follower: Follower, runs: Runs, capfd: Capture) -> None:
    guardian = runs.guarded("abc")
    guardian.prints(b"old\n")
    guardian.ends(Status.FAILED, exit_code=1)
    start = current_sizes(guardian.directory)
    guardian.edits(requeue_ended(guardian.run, now=1.0, resume_from=None))

    def train() -> None:
        second = Guardian(guardian.directory)
        second.prints(b"new\n")
        second.ends()

    assert follower.follow(train, "abc", start=start) == 0
    output = capfd.readouterr()
    assert output.out == "new\n"
    assert "queued" not in output.err


def test_lines_of_several_runs_have_their_names_before_them(
    follower: Follower, runs: Runs, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    first, second = runs.guarded("a", name="train"), runs.guarded("b", name="evaluate")

    def train() -> None:
        first.prints(b"10%\r20%\r\nhalf")
        second.prints(b"x\n")
        second.ends(Status.FAILED, exit_code=4)
        first.ends()

    assert follower.follow(train, "a", "b") == 4
    printed = capfdbinary.readouterr().out
    by_first = [b"train    | 10%\r", b"train    | 20%\r\n", b"train    | half\n"]
    assert printed.replace(b"evaluate | x\n", b"") == b"".join(by_first)
    assert b"evaluate | x\n" in printed


def test_ctrl_c_once_asks_for_a_graceful_stop_and_twice_kills(follower: Follower, runs: Runs, capfd: Capture) -> None:
    guardian = runs.guarded("abc")

    def press_twice() -> None:
        follower.interrupts.count = 1
        wait_until(lambda: len(guardian.asked()) == 1, "one request")
        follower.interrupts.count = 2
        wait_until(lambda: len(guardian.asked()) == 2, "two requests")
        guardian.ends(Status.STOPPED, exit_code=None, signal="SIGKILL")

    assert follower.follow(press_twice, "abc") == 130
    assert [(type(request), getattr(request, "kill", None)) for request in guardian.asked()] == [
        (StopRequest, False),
        (StopRequest, True),
    ]
    assert "stopping 1 run, which may save first; Ctrl-C again kills" in capfd.readouterr().err


def test_ctrl_c_takes_a_queued_run_out_of_the_queue(follower: Follower, runs: Runs) -> None:
    directory = runs.queued("abc")
    follower.interrupts.count = 1
    assert follower.follow(lambda: None, "abc") == 130
    assert directory.read().status is Status.STOPPED


def test_a_third_ctrl_c_leaves_the_run_alone(follower: Follower, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    follower.interrupts.count = 3
    with pytest.raises(Interrupted, match="still running: abc"):
        follower.follow(lambda: None, "abc")
    guardian.ends()


def test_a_held_run_says_why_it_waits(
    follower: Follower, session: Session, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = runs.queued("abc")
    reasons = [
        {"check": "ram", "message": "RAM 1 GB free, keeps 4", "setting": "min_free_ram_gb"},
        {"check": "starts", "message": "next in 41s", "setting": "governor.starts_per_minute"},
    ]
    with open(session.home.governor, "wb") as file:
        file.write(dump({"time": None, "pid": os.getpid(), "held": {"abc": reasons}}))
    output: list[str] = []
    # Captured stderr cannot be read while it is written to without losing some.
    monkeypatch.setattr(diagnostics, "say", output.append)

    def wait_and_start() -> None:
        wait_until(lambda: any("waits: RAM 1 GB free, keeps 4" in line for line in output), "the reason on stderr")
        Guardian(directory).ends()

    assert follower.follow(wait_and_start, "abc") == 0
    assert [line for line in output if "backprop-tui" in line and not line.startswith("abc (abc): started")] == [
        PACE,
        "to start it sooner (0: no limit): backprop-tui edit abc --min-free-ram 0",
        "for later runs: backprop-tui config set min_free_ram_gb 0",
    ]


def test_without_a_terminal_a_run_that_still_waits_says_so_once_a_minute(
    session: Session, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.queued("abc")
    stream = EventStream(session.home, "abc")
    messages: list[str] = []
    monkeypatch.setattr(diagnostics, "say", messages.append)
    shown = PlainOutput({"abc": "abc"})
    now = 0.0
    monkeypatch.setattr("backprop_tui.cli.presenters.time.monotonic", lambda: now)
    for load, now in (("2.5", 0.0), ("2.4", 59.0), ("2.3", 61.0), ("2.2", 119.0), ("2.1", 122.0)):
        reason = {"check": "load", "message": f"load {load} per core", "setting": "governor.max_load_per_core"}
        with open(session.home.governor, "wb") as file:
            file.write(dump({"time": None, "pid": os.getpid(), "held": {"abc": [reason]}}))
        for event in stream.new_events(now):
            shown.event(event)
        shown.status([stream], now)
    waits = [line.removeprefix("abc: waits: ") for line in messages if "waits" in line]
    assert waits == ["load 2.5 per core", "load 2.3 per core", "load 2.1 per core"]
    advice = [line for line in messages if "edit abc --max-load 0" in line]
    assert len(advice) == 1


def test_a_run_that_is_not_to_wait_is_taken_back_when_it_is_held(session: Session, runs: Runs) -> None:
    runs.queued("abc")
    with open(session.home.governor, "wb") as file:
        file.write(dump({"pid": os.getpid(), "held": {"abc": [{"check": "ram", "message": "m"}]}}))
    taken: list[str] = []

    def withdraw(run_id: str) -> bool:
        taken.append(run_id)
        return True

    following = Following(session, {"abc": FileSizes()}, presenter_for(session, ["abc"]), Interrupts())
    following.withdraw = withdraw
    with pytest.raises(HeldByGovernor):
        following.to_the_end()
    assert taken == ["abc"]


class Reader:
    """The other end of a pipe that is our stdout."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self._reading = os.fdopen(reading, "rb", buffering=0)
        self._stdout = os.fdopen(writing, "w")

    def attach(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In the test itself: between its phases pytest gives stdout back."""
        monkeypatch.setattr(sys, "stdout", self._stdout)

    def read_all(self) -> int:
        """How many bytes come until stdout is closed."""
        count = 0
        while chunk := self._reading.read(65536):
            count += len(chunk)
        return count

    def go_away(self) -> None:
        self._reading.close()

    def close_stdout(self) -> None:
        self._stdout.close()


@pytest.fixture
def reader() -> Iterator[Reader]:
    made = Reader()
    yield made
    made.close_stdout()
    made.go_away()


def test_a_reader_that_goes_away_ends_the_following_and_not_the_run(
    session: Session, runs: Runs, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.attach(monkeypatch)
    guardian = runs.guarded("abc")
    following = Following(session, {"abc": FileSizes()}, presenter_for(session, ["abc"]), Interrupts())
    reader.go_away()
    with pytest.raises(BrokenPipeError):
        following.to_the_end()
    assert guardian.asked() == []
    guardian.ends()


def test_a_reader_that_does_not_read_cannot_keep_ctrl_c_from_stopping(
    follower: Follower, runs: Runs, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.attach(monkeypatch)
    guardian = runs.guarded("abc")
    guardian.prints(b"x" * 3_000_000)
    follower.interrupts.count = 1
    counts: list[int] = []
    reading = threading.Thread(target=lambda: counts.append(reader.read_all()), daemon=True)

    def end_when_asked_then_read() -> None:
        wait_until(guardian.asked, "a request")
        guardian.ends(Status.STOPPED)
        reading.start()

    assert follower.follow(end_when_asked_then_read, "abc") == 130
    reader.close_stdout()
    reading.join(20.0)
    assert counts == [3_000_000]


def test_reads_are_frequent_after_a_change_and_rare_when_nothing_happens() -> None:
    pace = Pace(100.0)
    assert pace.seconds(100.0, urgent=True) == 0.002
    assert pace.seconds(100.0, urgent=False) == 0.01
    assert pace.seconds(100.5, urgent=False) == pytest.approx(0.05)
    assert pace.seconds(100.5, urgent=True) == 0.02, "a script prints its first line soon after it was admitted"
    assert pace.seconds(200.0, urgent=False) == 0.1
    pace.changed(200.0)
    assert pace.seconds(200.0, urgent=False) == 0.01
