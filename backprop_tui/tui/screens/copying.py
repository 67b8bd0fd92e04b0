"""What is copied of a run: its id, paths, command, what went wrong, or the value under the cursor of Details."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.screens.ask import STAY, Answer, Question
from backprop_tui.tui.screens.front import Front
from backprop_tui.tui.widgets.details import DetailsTab


class Copying:
    """To the clipboard of the terminal, by OSC 52: through SSH too, where the terminal allows it."""

    def __init__(self, screen: Front) -> None:
        self._screen = screen

    def doing(self) -> dict[str, Callable[[], object]]:
        """By the ids of the registry."""
        return {"copy": self._copy}

    def _copy(self) -> None:
        details = self._screen.query_one(DetailsTab)
        if details.has_focus and details.value_at_cursor is not None:
            name, value = details.value_at_cursor
            self._take(name, value)
            return
        chosen = self._screen.standing.chosen(self._screen.snapshot)
        if len(chosen) == 1:
            self._screen.work(self._choose(chosen[0]))
        elif chosen:
            self._take(f"{len(chosen)} ids", " ".join(one.id for one in chosen))

    async def _choose(self, run: KnownRun) -> None:
        found = {key: (name, value) for key, name, value in _values(run)}
        answers = [
            Answer(key=key, shown=key, means=key, words=f"{name:<10} {value}") for key, (name, value) in found.items()
        ]
        title = sanitize(str(run.record["name"]))
        answer = await self._screen.question(Question(title="Copy", lines=(title,), answers=answers))
        if answer != STAY:
            self._take(*found[answer])

    def _take(self, name: str, value: str) -> None:
        self._screen.app.copy_to_clipboard(value)
        self._screen.tell(f"Copied {name}")


def _values(run: KnownRun) -> Iterator[tuple[str, str, str]]:
    """Key, name and value of what there is."""
    record = run.record
    yield "y", "id", run.id
    yield "n", "name", sanitize(str(record["name"]))
    if record.get("log_path"):
        yield "l", "log", sanitize(str(record["log_path"]))
        yield "f", "folder", sanitize(os.path.dirname(str(record["log_path"])))
    if record["command"]:
        yield "c", "command", sanitize(shlex.join(record["command"]))
    if record.get("cwd"):
        yield "w", "directory", sanitize(str(record["cwd"]))
    evidence = (record.get("cause") or {}).get("evidence")
    if evidence:
        yield "e", "error", sanitize(str(evidence))
    if record.get("checkpoints"):
        yield "k", "checkpoint", sanitize(str(record["checkpoints"][-1]["path"]))
