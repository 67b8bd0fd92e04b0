"""The dialogs that make or change something: which key opens which, and what follows from it.

Each is loaded when it is opened, for the sake of the start.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.new_run.paths import example_script
from backprop_tui.tui.requests import Desk
from backprop_tui.tui.screens.front import Front

_MOST_RECENT = 20


class Dialogs:
    """Keeps the draft of a new run from one opening to the next, and the run that is to be selected when it appears."""

    def __init__(self, screen: Front, desk: Desk) -> None:
        self._screen = screen
        self._desk = desk
        self._draft: Mapping[str, str] = {}
        self._awaited: str | None = None
        self.example = example_script()

    def doing(self) -> dict[str, Callable[[], object]]:
        """By the ids of the registry."""
        return {"new": self.new, "copy_as_new": self._like_this, "edit": self._edit, "settings": self._settings}

    def new(self) -> None:
        """With the draft that was left."""
        self._open(self._draft, keep=True)

    def pasted(self, text: str) -> None:
        """A command line or a file that was dropped on the screen."""
        from backprop_tui.tui.new_run.command_line import joined
        from backprop_tui.tui.new_run.draft import COMMAND

        line = sanitize(joined(text)).strip()
        if line:
            self._open({COMMAND: line}, keep=True)

    def _like_this(self) -> None:
        from backprop_tui.tui.new_run.draft import draft_like

        run = self._screen.standing.run_of_row(self._screen.snapshot)
        if run is None or run.run is None:
            self._screen.tell("Only a run of this dashboard's own store can be copied", bad=True)
            return
        self._open(draft_like(run.run), keep=False)

    def _edit(self) -> None:
        from backprop_tui.tui.new_run.draft import COMMAND
        from backprop_tui.tui.screens.edit_run import EditRun

        runs = self._screen.standing.chosen(self._screen.snapshot)
        if not runs and self._screen.snapshot.is_beginning and self.example is not None:
            return self._open({COMMAND: shlex.quote(self.example)}, keep=False)
        if not runs:
            return self._screen.tell("Nothing is selected", bad=True)

        def closed(said: tuple[str, ...] | None) -> None:
            if said:
                self._screen.tell(said[0] if len(said) == 1 else f"Changed {counted(len(said), 'run')}")
                self._screen.bridge_looks()

        self._screen.app.push_screen(EditRun(runs, self._desk, glyphs=self._screen.glyphs), closed)
        return None

    def _settings(self) -> None:
        from backprop_tui.tui.screens.settings import Settings

        self._screen.app.push_screen(Settings(self._desk, glyphs=self._screen.glyphs))

    def _open(self, draft: Mapping[str, str], *, keep: bool) -> None:
        from backprop_tui.tui.screens.new_run import NewRun

        dialog = NewRun(draft, self._desk, self._recent(), glyphs=self._screen.glyphs)

        def closed(run_ids: tuple[str, ...] | None) -> None:
            if keep:
                self._draft = {} if run_ids else dialog.draft
            if run_ids:
                self._awaited = run_ids[0]
                self._screen.tell(f"Queued {run_ids[0] if len(run_ids) == 1 else counted(len(run_ids), 'run')}")
            self._screen.bridge_looks()

        self._screen.app.push_screen(dialog, closed)

    def _recent(self) -> list[Mapping[str, str]]:
        """Newest first, each command once."""
        from backprop_tui.tui.new_run.draft import COMMAND, draft_like

        found: dict[str, Mapping[str, str]] = {}
        runs = (one.run for one in self._screen.snapshot.runs if one.run is not None)
        for run in sorted(runs, key=lambda one: one.created_at, reverse=True)[: _MOST_RECENT * 2]:
            draft = draft_like(run)
            found.setdefault(draft[COMMAND], draft)
        return list(found.values())[:_MOST_RECENT]

    def arrived(self) -> str | None:
        """The run that was queued here, once it is known; then it is to be selected."""
        if self._awaited is None or self._screen.snapshot.find(self._awaited) is None:
            return None
        found, self._awaited = self._awaited, None
        return found
