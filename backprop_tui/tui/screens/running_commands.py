"""Runs programs for the dashboard: in its terminal, with their output on a screen, or in the background."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.lines import Piece, Token
from backprop_tui.tui.user_commands import MissingValue, UserCommand

if TYPE_CHECKING:
    from backprop_tui.tui.screens.panes_screen import PanesScreen

_MAX_OUTPUT_BYTES = 1 << 20


def run_in_terminal(
    screen: PanesScreen, words: Sequence[str], *, program: str, hint: str = "", cwd: str | None = None
) -> None:
    """Hands the terminal over to a program until it ends; says why if it does not start, with a hint what to do."""
    try:
        with screen.app.suspend():
            subprocess.run(words, check=False, cwd=cwd)
    except SuspendNotSupported:
        screen.tell(f"Cannot open {program} in this terminal", bad=True)
    except OSError as error:
        screen.tell(f"{_why_not_started(words, error)}. {hint}".rstrip(". "), bad=True)


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
    """Keeps the output of the command on the terminal until enter is pressed."""
    script = 'printf "%s\\n" "$ $1"; shift; "$@"; code=$?; printf "\\nexit code %s, enter returns" $code; read -r _'
    run_in_terminal(screen, ["sh", "-c", script, "sh", shlex.join(words), *words], program=command.name, cwd=cwd)


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
    """Shows the output when the command has ended; the command ends with the dashboard."""
    from backprop_tui.tui.screens.palette import TextScreen

    process = await _start(screen, command, words, cwd, output=asyncio.subprocess.PIPE)
    if process is None or process.stdout is None:
        return
    screen.tell(f"{command.name}: running")
    output = b""
    try:
        while len(output) < _MAX_OUTPUT_BYTES and (part := await process.stdout.read(1 << 16)):
            output += part
        if len(output) >= _MAX_OUTPUT_BYTES:
            process.kill()
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
    lines = [(Piece(f" {sanitize(line)}"),) for line in output.decode(errors="replace").splitlines()]
    token = Token.BAD if code else Token.ACCENT
    title = f"{command.name}: exit code {code}" if code else command.name
    screen.app.push_screen(TextScreen(title, [(), *lines], glyphs=screen.glyphs, token=token))


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
