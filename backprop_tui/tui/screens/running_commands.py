"""Runs programs for the dashboard: in its terminal, with their output on a screen, or in the background."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Piece, Token
from backprop_tui.tui.log.escapes import plain_lines
from backprop_tui.tui.screens.palette import TextScreen
from backprop_tui.tui.user_commands import MissingValue, UserCommand

if TYPE_CHECKING:
    from backprop_tui.tui.screens.panes_screen import PanesScreen

_MAX_OUTPUT_BYTES = 1 << 20
_SHOWN_UNTIL_ENTER = r"""trap : INT
printf '$ %s\n' "$1"; shift
"$@"
printf '\nexit code %s, enter returns' $?
read -r _
"""
_OUTPUT_SECONDS = 0.2  # between two looks at the output of a command that runs


def run_in_terminal(
    screen: PanesScreen, words: Sequence[str], *, program: str, hint: str = "", cwd: str | None = None
) -> None:
    """Hands the terminal over to a program until it ends; says why if it does not start, with a hint what to do."""
    try:
        with screen.app.suspend(), _ctrl_c_for_the_program():
            subprocess.run(words, check=False, cwd=cwd)
    except SuspendNotSupported:
        screen.tell(f"Cannot open {program} in this terminal", bad=True)
    except OSError as error:
        screen.tell(f"{_why_not_started(words, error)}. {hint}".rstrip(". "), bad=True)


@contextmanager
def _ctrl_c_for_the_program() -> Iterator[None]:
    """Keeps Ctrl-C, which the terminal sends to all of its programs, from ending the dashboard."""
    before = signal.signal(signal.SIGINT, lambda *_: None)  # unlike SIG_IGN it is not inherited
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _why_not_started(words: Sequence[str], error: OSError) -> str:
    name = sanitize(str(error.filename or words[0]))
    return f"{name} was not found" if isinstance(error, FileNotFoundError) else f"{name}: {error.strerror}"


async def start_command(screen: PanesScreen, command: UserCommand, run: KnownRun | None) -> None:
    """Runs a command of the user in the directory of the run, else in the current one."""
    try:
        words = command.words(run)
    except MissingValue as error:
        screen.tell(f"{command.name}: {error}", bad=True)
        return
    cwd = None if run is None else run.record["cwd"]
    match command.output:
        case "screen":
            await _show_output(screen, command, words, cwd)
        case "background":
            await _run_in_background(screen, command, words, cwd)
        case _:
            _run_and_wait(screen, command, words, cwd)


def _run_and_wait(screen: PanesScreen, command: UserCommand, words: Sequence[str], cwd: str | None) -> None:
    """Keeps the output of the command on the terminal until enter is pressed, also when Ctrl-C ended it."""
    shown = ["sh", "-c", _SHOWN_UNTIL_ENTER, "sh", shlex.join(words), *words]
    run_in_terminal(screen, shown, program=command.name, cwd=cwd)


async def _run_in_background(screen: PanesScreen, command: UserCommand, words: Sequence[str], cwd: str | None) -> None:
    """Starts a process that outlives the dashboard, and reports when it fails."""
    process = await _start(screen, command, words, cwd, output=asyncio.subprocess.DEVNULL)
    if process is None:
        return
    screen.tell(f"{command.name}: started, pid {process.pid}")
    code = await process.wait()
    if code:
        screen.tell(f'{command.name}: exit code {code}; output = "screen" shows why', bad=True)


async def _show_output(screen: PanesScreen, command: UserCommand, words: Sequence[str], cwd: str | None) -> None:
    process = await _start(screen, command, words, cwd, output=asyncio.subprocess.PIPE)
    if process is not None:
        screen.app.push_screen(OutputScreen(command.name, process, glyphs=screen.glyphs))


class OutputScreen(TextScreen):
    """Shows the output of a command as it comes; to leave the screen ends the command."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, *, glyphs: Glyphs) -> None:
        super().__init__(f"{name}: running, esc ends it", [], glyphs=glyphs, token=Token.INFO)
        self._name_of_command = name
        self._process = process
        self._output = b""
        self._shown_bytes = 0

    def on_mount(self) -> None:
        self.run_worker(self._follow())
        self.set_interval(_OUTPUT_SECONDS, self._show_output)

    async def _follow(self) -> None:
        try:
            await self._read()
            self._show_output()
        finally:  # also when the screen is left
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGTERM)

    async def _read(self) -> None:
        output = self._process.stdout
        while output is not None and (part := await output.read(1 << 16)):
            self._output += part
            if len(self._output) >= _MAX_OUTPUT_BYTES:
                self.show_title(f"{self._name_of_command}: ended after 1 MB of output", Token.WARN)
                return
        code = await self._process.wait()
        self.show_title(f"{self._name_of_command}: {_end_text(code)}", Token.BAD if code else Token.OK)

    def _show_output(self) -> None:
        if len(self._output) != self._shown_bytes:
            self._shown_bytes = len(self._output)
            lines = plain_lines(self._output).splitlines()
            self.show_lines([(), *((Piece(f" {sanitize(line.expandtabs())}"),) for line in lines)])


def _end_text(code: int) -> str:
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


async def _start(
    screen: PanesScreen, command: UserCommand, words: Sequence[str], cwd: str | None, *, output: int
) -> asyncio.subprocess.Process | None:
    try:
        return await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output if output == asyncio.subprocess.DEVNULL else asyncio.subprocess.STDOUT,
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        screen.tell(f"{command.name}: {_why_not_started(words, error)}", bad=True)
        return None
