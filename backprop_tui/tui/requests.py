"""What the dashboard asks for on behalf of the person at the screen: by the commands, each in a process of its own.

A command waits until what was asked is done, however long that takes, and says in one line what went wrong.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Protocol

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.values import dataclass
from backprop_tui.launchers.own_command import own_command
from backprop_tui.store.home import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What came of it, in words of one line; `lines` are all that the command wrote on its output."""

    done: bool
    words: str
    lines: tuple[str, ...] = ()


class Desk(Protocol):
    """Takes requests."""

    async def ask(self, *words: str) -> Said:
        """What a command of these words does."""


class CommandDesk:
    """Asks by `backprop-tui WORDS`, with this state directory and configuration."""

    def __init__(self, home: Home, config_path: str) -> None:
        self._options = ("--config", config_path) if os.path.exists(config_path) else ()
        self._environment = os.environ | {"BACKPROP_HOME": home.root, "BACKPROP_HOST": home.host}

    async def ask(self, *words: str) -> Said:
        """Returns when the command has ended."""
        process = await asyncio.create_subprocess_exec(
            *own_command(*self._options, *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
            start_new_session=True,  # what was asked is done, even where the dashboard is closed meanwhile
        )
        output, errors = await process.communicate()
        done = process.returncode == 0
        lines = tuple(sanitize(line) for line in output.decode("utf-8", "replace").splitlines())
        return Said(done=done, words=_line(output if done else errors or output), lines=lines)


def _line(content: bytes) -> str:
    lines: Sequence[str] = content.decode("utf-8", "replace").strip().splitlines()
    return sanitize(lines[-1].removeprefix("backprop-tui: ")) if lines else ""
