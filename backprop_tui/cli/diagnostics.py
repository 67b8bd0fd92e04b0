"""The only place that writes to stderr: messages of this program, never the output of a script."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress

from backprop_tui.cli import output
from backprop_tui.domain.errors import StorageFailed, UsageError
from backprop_tui.domain.sanitize import sanitize, sanitize_lines
from backprop_tui.domain.secrets import mask_words

PROGRAM = "backprop-tui"
_USUAL_WIDTH = 80
_QUOTED = r"""(?<!\S)(?:`[^`]+`|'[^']+'|"[^"]+")(?=[:;,.?]?(?!\S))"""
_BLANK = "\0"  # one that is not a place to break a line at
_ERASE_LINE = "\r\x1b[K"


def say(text: str) -> None:
    """Writes lines, wrapped between words on a terminal; a program that reads them gets them whole."""
    clear_status()
    lines = sanitize_lines(text).split("\n")
    if is_terminal():
        lines = [row for line in lines for row in _wrapped(line, _width())]
    _write("\n".join(lines) + "\n")


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_WIDTH
    except OSError:  # the terminal is gone, or the stream has no descriptor
        return _USUAL_WIDTH


def _wrapped(line: str, width: int) -> list[str]:
    """The rows of a line; a command or a quoted text that is to be copied is not broken if it fits into a row."""
    if len(line.encode()) <= width:  # no text takes more columns than bytes
        return [line]
    from backprop_tui.presentation.advice import COMMAND  # only for a long message on a terminal
    from backprop_tui.presentation.fitting import columns_of

    rows = [line[: -len(line.lstrip())]]
    whole = re.sub(f"{COMMAND}|{_QUOTED}", lambda match: match[0].replace(" ", _BLANK), line.lstrip())
    for unit in whole.split(" "):
        for word in [unit] if columns_of(unit) <= width else unit.split(_BLANK):
            text = word.replace(_BLANK, " ")
            if rows[-1].strip() and columns_of(f"{rows[-1]} {text}") > width:
                rows.append(text)
            else:
                rows[-1] += f" {text}" if rows[-1].strip() else text
    return rows


def complain(text: str | None) -> None:
    """Writes an error or warning, if there is one, preceded by the program's name."""
    if text is not None:
        say(f"{PROGRAM}: {text}")


def confirm(question: str, *, yes: bool) -> bool:
    """Whether to go ahead: `--yes` was given, or the user answers yes; an error if there is no terminal to ask on."""
    if yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty() or not is_terminal():
        raise UsageError(
            f"{question} There is no terminal to ask on", "give --yes, or --dry-run to see what would be removed"
        )
    clear_status()
    _write(sanitize_lines(f"{question} [y/N] "))
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


class _StatusLine:
    shown = False


def status(text: str) -> None:
    """Writes the status line, which is overwritten in place; does nothing if stderr is not a terminal."""
    if not is_terminal():
        return
    _write(_ERASE_LINE + sanitize(text)[: max(0, _width() - 1)])
    _StatusLine.shown = True


def clear_status() -> None:
    if _StatusLine.shown:
        _StatusLine.shown = False
        _write(_ERASE_LINE)


def _write(text: str) -> None:
    """A closed terminal must not stop the command: its messages are just lost."""
    if sys.stderr is None:
        return
    with suppress(OSError, StorageFailed):  # the end of the command reports it
        output.flush()  # what was printed before comes first where both go to one file
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        # Python would try to write it again at exit, fail, and change the exit code.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open until the program ends


def trace(error: BaseException) -> None:
    import traceback

    clear_status()
    _write(sanitize_lines("".join(traceback.format_exception(error))))


def keep_trace(error: BaseException, path: str | None) -> str | None:
    """Appends the traceback of an error to a file; returns its path, None if it could not be written."""
    import traceback

    from backprop_tui.processes.detached_log import append_private

    if path is None:
        return None
    try:
        append_private(path, f"{' '.join(mask_words(sys.argv))}\n{''.join(traceback.format_exception(error))}\n")
    except OSError:
        return None
    return path
