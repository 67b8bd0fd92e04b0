"""The only place that writes to stderr: what we say ourselves, never what a script printed."""

from __future__ import annotations

import os
import sys

PROGRAM = "backprop-tui"
_USUAL_WIDTH = 80
_ERASE_LINE = "\r\x1b[K"


def say(text: str) -> None:
    """One line of ours."""
    clear_status()
    _write(f"{text}\n")


def complain(text: str) -> None:
    """An error or warning, with the program's name before it."""
    say(f"{PROGRAM}: {text}")


def ask(question: str) -> None:
    """A question that is answered on the same line."""
    clear_status()
    _write(question)


def is_terminal() -> bool:
    """Whether a person sees stderr."""
    return sys.stderr is not None and sys.stderr.isatty()


class _StatusLine:
    """Whether the line at the bottom of the terminal is ours at the moment."""

    shown = False


def status(text: str) -> None:
    """The one line at the bottom of a terminal that is overwritten in place; nothing where stderr is no terminal."""
    if not is_terminal():
        return
    width = os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_WIDTH
    _write(_ERASE_LINE + text[: max(0, width - 1)])
    _StatusLine.shown = True


def clear_status() -> None:
    """Takes the status line away before something else is written."""
    if _StatusLine.shown:
        _StatusLine.shown = False
        _write(_ERASE_LINE)


def _write(text: str) -> None:
    """A closed terminal must not end what is done: nobody reads what we say, and that is all."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        # What could not be written would be tried again at exit, and change the exit code.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for as long as the program lives


def trace(error: BaseException) -> None:
    """Where an error came from, for `--verbose`."""
    import traceback

    say("".join(traceback.format_exception(error)).rstrip("\n"))


def keep_trace(error: BaseException, path: str | None) -> str | None:
    """Appends where an error came from to a file; its path, None where it could not be written."""
    import traceback

    if path is None:
        return None
    try:
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{' '.join(sys.argv)}\n{''.join(traceback.format_exception(error))}\n")
    except OSError:
        return None
    return path
