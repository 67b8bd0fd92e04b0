"""Foreign text cannot control the terminal, whatever the command; programs that read a pipe get the bytes."""

from __future__ import annotations

import io
import os
import re
import select
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.invocation import run_program
from backprop_tui.domain.sanitize import OutputFilter
from backprop_tui.domain.status import Status
from tests.support.commands import Commands
from tests.support.runs import Runs

EVIL = "a\x1b]52;c;QQ==\x07\x1b[31m\x9b2J\u202e\u200bz"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
LOOKS = [
    ["list", "--all"],
    ["list", "--handles"],
    ["status"],
    ["status", "evil"],
    ["show", "evil"],
    ["compare", "evil", "other"],
    ["export"],
    ["stop", "--dry-run", "waits"],
    ["stop", "waits"],
    ["wait", "evil"],
    ["remove", "--dry-run", "evil"],
    ["clean", "--dry-run", "--older-than", "0d"],
    ["resume", "--dry-run", "evil"],
    ["run", "--dry-run", "-d", "--name", EVIL, "--", "true", EVIL],
    ["run", EVIL],
    ["list", EVIL],
    ["stop", "--json", EVIL],
    ["queue", "priority", "waits", EVIL],
    ["nonsense" + EVIL],
    ["list", "--nonsense" + EVIL],
    ["--config", EVIL, "list"],
]


class FakeTerminal(io.StringIO):
    """A stream on a terminal that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.master, self.slave = os.openpty()

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.slave

    def shows(self, *words: str) -> str:
        """What a command writes, without the erasing of the status line."""
        with redirect_stdout(self), redirect_stderr(self):
            run_program(words)
        return re.sub(r"\r\x1b\[K", "", self._written())

    def _written(self) -> str:
        """What was written to the stream and to its descriptor."""
        written = b""
        while select.select([self.master], [], [], 0)[0]:
            written += os.read(self.master, 65536)
        return self.getvalue() + written.decode().replace("\r\n", "\n")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTerminal]:
    """A terminal on which the command line writes all its output."""
    fake = FakeTerminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    yield fake
    os.close(fake.master)
    os.close(fake.slave)


@pytest.fixture
def evil(runs: Runs) -> None:
    """Runs whose names, notes and arguments have everything that a terminal obeys."""
    texts: dict[str, Any] = {
        "name": EVIL,
        "note": EVIL,
        "group": EVIL,
        "tags": (EVIL,),
        "spec": {"command": ("true", EVIL)},
    }
    guardian = runs.guarded("evil", **texts)
    guardian.prints(f"{EVIL}\n\x1b[32mgreen\x1b[0m\n".encode())
    guardian.ends(Status.FAILED, exit_code=1, reason=EVIL)
    runs.ended("other", **texts)
    runs.queued("waits", **texts)


@pytest.mark.usefixtures("session", "workplace", "evil")
@pytest.mark.parametrize("words", LOOKS, ids=lambda words: " ".join(words)[:24].encode("ascii", "ignore").decode())
def test_no_command_prints_control_sequences(words: list[str], terminal: FakeTerminal) -> None:
    shown = terminal.shows("--no-ui", *words)
    assert shown
    assert OBEYED.findall(shown) == []


@pytest.mark.usefixtures("session", "workplace", "evil")
def test_a_script_may_color_what_it_prints(terminal: FakeTerminal) -> None:
    shown = terminal.shows("logs", "evil")
    assert "\x1b[32mgreen\x1b[0m\n" in shown
    assert OBEYED.findall(re.sub(r"\x1b\[[0-9;]*m", "", shown)) == []


@pytest.mark.usefixtures("evil")
def test_programs_get_the_bytes(obey: Commands) -> None:
    assert EVIL in obey("export").out


def test_colors_of_ours_surround_harmless_text(terminal: FakeTerminal) -> None:
    with redirect_stdout(terminal):
        output.line(f"{output.painted(EVIL, '31')} \ufdd01;31\ufdd1{EVIL}")
    shown = terminal.getvalue()
    assert OBEYED.findall(re.sub(r"\x1b\[[0-9;]+m", "", shown)) == []
    assert shown.startswith("\x1b[31ma")


PIECES = [
    (b"\x1b[3", b"1mred"),
    (b"caf\xc3", b"\xa9"),
    (b"a\x1b]52;c;Q", b"Q==\x07b"),
    (b"a\x1b]0;never ended\n", b"b"),
    (b"50%\r\x1b[2K", b"\x1b[A60%\n"),
    (b"\xc2", b"\x9b2Jx"),
    (b"\x1b", b"[0m"),
]


@pytest.mark.parametrize(
    ("pieces", "shown"),
    zip(PIECES, ["\x1b[31mred", "café", "ab", "a\nb", "50%\r60%\n", "x", "\x1b[0m"], strict=True),
)
def test_a_sequence_may_be_cut_anywhere(pieces: tuple[bytes, ...], shown: str) -> None:
    shown_pieces = OutputFilter()
    assert b"".join([*map(shown_pieces.pass_on, pieces), shown_pieces.pass_on(b"", final=True)]).decode() == shown


def test_messages_are_wrapped_between_words_and_commands_are_not_broken(
    terminal: FakeTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = "backprop-tui resume --from /data/checkpoints/step_1000.pt ab12cd34"
    text = f"backprop-tui: {'the checkpoint is not complete, ' * 3}use another: {command}; or 'run it again'"
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((80, 24)))
    with redirect_stderr(terminal):
        diagnostics.say(text)
    lines = terminal.getvalue().splitlines()
    assert " ".join(lines) == text
    assert max(map(len, lines)) <= 80
    assert sum(command in line for line in lines) == 1
    pipe = io.StringIO()
    with redirect_stderr(pipe):
        diagnostics.say(text)
    assert pipe.getvalue() == f"{text}\n"
