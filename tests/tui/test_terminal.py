"""The terminal probe on a pseudo-terminal that answers, is silent, late, or sends garbage; typed keys survive."""

from __future__ import annotations

import json
import os
import pty
import select
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.tui.terminal import (
    ANSWER_SECONDS,
    LEAVE_SECONDS,
    LIMIT_SECONDS,
    QUESTION,
    Terminal,
    TerminalProbe,
    parse_answers,
)

NARROW, WIDE = b"\x1b[1;2R", b"\x1b[1;3R"
LIGHT, DARK = b"\x1b]11;rgb:fcfc/fcfc/fafa\x1b\\", b"\x1b]11;rgb:0f/14/19\x07"
IDENTITY = b"\x1b[?64;1;22c"
PATIENCE_SECONDS = 20.0

# Asks, and writes as JSON the terminal's answers, how long it waited, and whether the terminal is as it was.
ASKS = """
import json, sys, termios, time
from backprop_tui.tui import terminal
from backprop_tui.tui.terminal import TerminalProbe
terminal.LIMIT_SECONDS = float(sys.argv[2])
before = termios.tcgetattr(0)
probe = TerminalProbe()
probe.ask()
began = time.monotonic()
answer = probe.answer()
waited = time.monotonic() - began
probe.close()
typed = answer.typed.decode("latin-1")
result = {"light": answer.is_light, "columns": answer.line_columns, "typed": typed, "waited": waited}
result["restored"] = termios.tcgetattr(0) == before
open(sys.argv[1], "w").write(json.dumps(result))
"""
# Asks, starts an application, and writes the keys that it heard until q.
LISTENS = """
import json, sys, time
from backprop_tui.tui import terminal
from backprop_tui.tui.terminal import TerminalProbe
terminal.LIMIT_SECONDS = float(sys.argv[2])
probe = TerminalProbe()
probe.ask()
from textual.app import App
from textual.widgets import Static
from backprop_tui.tui.textual_patches import terminal_io
terminal_io.apply(probe.answer().typed, probe.note_answer)

class Listener(App):
    keys = []
    def compose(self):
        yield Static("listener is there")
    def on_key(self, event):
        self.keys.append(event.key)
        if event.key == "q":
            self.exit()

Listener().run()
began = time.monotonic()
probe.close()
waited = time.monotonic() - began
import os, select, termios, tty
tty.setcbreak(0, termios.TCSANOW)  # reads at once, as a shell does
left = os.read(0, 1000).decode() if select.select([0], [], [], 0.5)[0] else ""
open(sys.argv[1], "w").write(json.dumps({"keys": Listener.keys, "waited": waited, "left": left}))
"""


class Talker:
    """The other end of a program's terminal."""

    def __init__(self, program: str, result: Path, limit_seconds: float) -> None:
        self._result = result
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm-256color"
            os.execv(sys.executable, [sys.executable, "-c", program, str(result), str(limit_seconds)])
        self.heard = b""

    def wait_for(self, words: bytes) -> None:
        """Wait until the program has written this."""
        until = time.monotonic() + PATIENCE_SECONDS
        while words not in self.heard:
            assert select.select([self._terminal], [], [], max(0.0, until - time.monotonic()))[0], self.heard
            self.heard += os.read(self._terminal, 1 << 12)

    def say(self, words: bytes) -> None:
        """Send an answer or keys."""
        os.write(self._terminal, words)

    def result(self) -> Any:
        """Return what the program wrote to its result file."""
        try:
            while os.read(self._terminal, 1 << 12):
                pass
        except OSError:  # the program has ended
            pass
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        assert os.waitstatus_to_exitcode(status) == 0
        return json.loads(self._result.read_text())

    def close(self) -> None:
        """Kill the program if it is still running."""
        if self.pid:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        os.close(self._terminal)


@contextmanager
def talking_to(program: str, result: Path, *, limit_seconds: float = PATIENCE_SECONDS) -> Iterator[Talker]:
    """Start a program in a terminal of its own and wait for its question."""
    talker = Talker(program, result, limit_seconds)
    try:
        talker.wait_for(QUESTION)
        yield talker
    finally:
        talker.close()


@pytest.mark.parametrize(
    ("answer", "light", "columns"),
    [
        (NARROW + LIGHT + IDENTITY, True, 1),
        (NARROW + DARK + IDENTITY, False, 1),
        (WIDE + DARK + IDENTITY, False, 2),
        (NARROW + IDENTITY, None, 1),
        (IDENTITY, None, None),
        (b"\x1b]11;nonsense\x07" + IDENTITY, None, None),
    ],
    ids=["light", "dark", "wide", "no background", "identity alone", "garbage"],
)
def test_the_answers_of_a_terminal_are_parsed_at_once(
    tmp_path: Path, answer: bytes, *, light: bool | None, columns: int | None
) -> None:
    with talking_to(ASKS, tmp_path / "result") as talker:
        talker.say(answer)
        result = talker.result()
    assert (result["light"], result["columns"], result["typed"]) == (light, columns, "")
    assert result["waited"] < PATIENCE_SECONDS / 2
    assert result["restored"]


def test_a_silent_terminal_costs_no_more_than_the_limit(tmp_path: Path) -> None:
    with talking_to(ASKS, tmp_path / "result", limit_seconds=LIMIT_SECONDS) as talker:
        result = talker.result()
    assert (result["light"], result["columns"], result["typed"]) == (None, None, "")
    assert result["waited"] < LIMIT_SECONDS + 1.0  # the second is for a loaded machine
    assert result["restored"]


def test_keys_typed_between_the_answers_are_kept_in_order(tmp_path: Path) -> None:
    with talking_to(ASKS, tmp_path / "result") as talker:
        talker.say(b"j" + NARROW + b"\x1b[A" + DARK + b"\r" + IDENTITY)
        result = talker.result()
    assert result["typed"] == "j\x1b[A\r"
    assert result["light"] is False


def test_the_answer_is_not_echoed(tmp_path: Path) -> None:
    with talking_to(ASKS, tmp_path / "result") as talker:
        talker.say(NARROW + DARK + IDENTITY)
        talker.result()
    assert b"rgb" not in talker.heard.replace(QUESTION, b"")


def test_the_application_gets_the_keys_typed_before_it_started(tmp_path: Path) -> None:
    with talking_to(LISTENS, tmp_path / "result") as talker:
        talker.say(b"ab" + NARROW + DARK + IDENTITY)
        talker.wait_for(b"listener is there")
        talker.say(b"q")
        assert talker.result()["keys"] == ["a", "b", "q"]


@pytest.mark.parametrize(
    "pieces",
    [[NARROW + DARK + IDENTITY], [LIGHT[:12], LIGHT[12:], IDENTITY[:4], IDENTITY[4:]], [DARK + b"a" + IDENTITY]],
    ids=["at once", "in pieces", "with a key between"],
)
def test_late_answers_are_not_keys(tmp_path: Path, pieces: list[bytes]) -> None:
    with talking_to(LISTENS, tmp_path / "result", limit_seconds=0.0) as talker:
        talker.wait_for(b"listener is there")
        for piece in pieces:
            talker.say(piece)
            time.sleep(0.02)  # so that each is read separately
        talker.say(b"q")
        result = talker.result()
    assert [key for key in result["keys"] if key != "a"] == ["q"]
    assert result["waited"] < LEAVE_SECONDS  # no answer is missing


@pytest.mark.parametrize("connection", ["", "1.2.3.4 5 6.7.8.9 22"], ids=["local", "remote"])
def test_answers_that_come_after_the_dashboard_was_left_are_not_input_of_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connection: str
) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    if connection:
        monkeypatch.setenv("SSH_CONNECTION", connection)
    with talking_to(LISTENS, tmp_path / "result", limit_seconds=0.0) as talker:
        talker.wait_for(b"listener is there")
        talker.say(b"q")
        talker.wait_for(b"\x1b[?1004l")  # the last that Textual writes
        time.sleep(1.3 * LEAVE_SECONDS if connection else 0.0)
        talker.say(NARROW + DARK + IDENTITY)
        talker.say(b"\x1b[?2026;2$y\x1b[?2048;0$y")
        result = talker.result()
    assert result["left"] == ""
    assert result["keys"] == ["q"]


def test_a_terminal_that_never_answers_delays_the_shell_only_briefly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    with talking_to(LISTENS, tmp_path / "result", limit_seconds=0.0) as talker:
        talker.wait_for(b"listener is there")
        talker.say(b"q")
        assert talker.result()["waited"] < LEAVE_SECONDS + 1.0  # the second is for a loaded machine


def test_what_is_typed_too_late_for_an_answer_is_for_the_shell() -> None:
    ours, theirs = pty.openpty()
    try:
        probe = TerminalProbe(theirs, theirs)
        probe.attributes = termios.tcgetattr(theirs)
        probe._asked_at, probe._is_answered = time.monotonic() - ANSWER_SECONDS, False
        os.write(ours, b"ls\n")
        probe.close()
        assert select.select([theirs], [], [], PATIENCE_SECONDS)[0]
        assert os.read(theirs, 100) == b"ls\n"
    finally:
        os.close(ours)
        os.close(theirs)


def test_nothing_is_asked_without_a_terminal(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    result = tmp_path / "result"
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", ASKS.replace("termios.tcgetattr(0)", "None"), str(result), str(LIMIT_SECONDS)],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, writing, 1)],
    )
    os.close(writing)
    _, status = os.waitpid(pid, 0)
    output = os.read(reading, 100)
    os.close(reading)
    assert (status, output) == (0, b"")
    assert json.loads(result.read_text())["waited"] < LIMIT_SECONDS


def test_a_colour_may_have_any_number_of_digits() -> None:
    assert parse_answers(b"\x1b]11;rgb:f/f/f\x07") == Terminal(is_light=True)
    assert parse_answers(b"\x1b]11;rgba:000/000/000/fff\x07").is_light is False
