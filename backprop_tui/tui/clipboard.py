"""Copies text to the clipboard: through tmux, or by a sequence (OSC 52) that the terminal may ignore."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from textual.app import App

_LIMIT_SECONDS = 2.0
# Since tmux 3.2 `-w` also sends it to the terminal's clipboard, whatever the option set-clipboard says.
_TMUX_COMMANDS = (("tmux", "load-buffer", "-w", "-"), ("tmux", "load-buffer", "-"))


def copy_text(app: App[Any], text: str, what: str = "") -> None:
    """Copies a text in the background and says what is known about it; nothing if `what` is empty."""

    async def copy() -> None:
        App.copy_to_clipboard(app, text)
        by_tmux = await asyncio.to_thread(copy_by_tmux, text)
        if what:
            app.notify(copied_message(what, by_tmux=by_tmux), timeout=5, markup=False)

    app.run_worker(copy(), group="clipboard", exit_on_error=False)


def copy_by_tmux(text: str, environment: Mapping[str, str] | None = None) -> bool:
    """Puts a text into the buffers of the tmux that this program runs in; returns whether that was done."""
    environment = os.environ if environment is None else environment
    if not environment.get("TMUX"):
        return False
    for command in _TMUX_COMMANDS:
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                command, input=text.encode(), env=environment, check=True, capture_output=True, timeout=_LIMIT_SECONDS
            )
            return True
    return False


def copied_message(what: str, *, by_tmux: bool) -> str:
    """Says what is known: a terminal does not answer whether it took a text."""
    return f"Copied {what}" if by_tmux else f"Sent {what} to the terminal's clipboard"
