"""The Edit dialog: name, tags, note, timebox and priority of a run that exists."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from textual import on
from textual.widgets import Input

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.cells import clip
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.requests import Desk
from backprop_tui.tui.screens.form import Field, Form
from backprop_tui.tui.tokens import Line, Piece, Token

_NAME = Field(name="name", label="Name")
_TAGS = Field(name="tags", label="Tags", placeholder="words to find it by")
_NOTE = Field(name="note", label="Note", placeholder="a line about it")
_MINUTES = Field(name="minutes", label="Timebox", width=9, after="min of this attempt, or none")
_PRIORITY = Field(name="priority", label="Priority", width=9, after="higher goes first")
_UNCHANGED = "nothing is changed yet"


class EditRun(Form):
    """Sends what was changed, and that alone; of several runs there is no name, and what they share stands there."""

    TITLE_WORDS = "Edit"
    KEYS = "enter change · esc cancel"
    LIVE_ROWS = 3

    def __init__(self, runs: Sequence[KnownRun], desk: Desk, *, glyphs: Glyphs) -> None:
        rows = [(_TAGS,), (_NOTE,), (_PRIORITY,)]
        if len(runs) == 1:
            rows.insert(0, (_NAME,))
        if all(one.status not in ENDED for one in runs):
            rows.insert(-1, (_MINUTES,))
        self._before = _shared(runs)
        super().__init__(rows, self._before, glyphs=glyphs)
        self._runs = runs
        self._desk = desk
        self._error = ""
        self._busy = False

    def on_mount(self) -> None:
        """Says whom it is about."""
        super().on_mount()
        self.draw_live()

    def live(self) -> Sequence[Line]:
        """Whom it is about, and what went wrong."""
        name = sanitize(str(self._runs[0].record["name"]))
        whom = f"{name}  {self._runs[0].id}" if len(self._runs) == 1 else counted(len(self._runs), "run")
        said = Piece(clip(self._error, self.room, self.glyphs), Token.BAD if self._error != _UNCHANGED else Token.MUTED)
        return [(), (Piece(clip(whom, self.room, self.glyphs), Token.MUTED),), (said,)]

    @on(Input.Changed)
    def _field_changed(self) -> None:
        self._error = ""
        self.draw_live()

    def submit(self) -> None:
        """Changes each of the runs."""
        try:
            options = self._options()
        except ValueError as error:
            self._error = str(error)
        else:
            self._error = "" if options else _UNCHANGED
            if options and not self._busy:
                self._busy = True
                self.run_worker(self._change(options), group="submit")
        self.draw_live()

    def _options(self) -> list[str]:
        """Raises: ValueError for a quotation that does not end."""
        changed = {name: value for name, value in self.values().items() if value != self._before.get(name, "")}
        found = [f"--{name}={changed[name].strip()}" for name in ("name", "note") if name in changed]
        if "tags" in changed:
            found += [f"--tag={tag.removeprefix('#')}" for tag in shlex.split(changed["tags"]) or [""]]
        if "minutes" in changed:
            found.append(f"--max-minutes={changed['minutes'].strip() or 'none'}")
        if "priority" in changed:
            found.append(f"--priority={changed['priority'].strip() or '0'}")
        return found

    async def _change(self, options: Sequence[str]) -> None:
        said: list[str] = []
        for one in self._runs:
            answer = await self._desk.ask("edit", one.id, *options)
            if not answer.done:
                self._busy, self._error = False, f"{self.glyphs.state('failed')} {answer.words}"
                self.draw_live()
                return
            said.append(answer.words)
        self.dismiss(tuple(said))


def _shared(runs: Sequence[KnownRun]) -> dict[str, str]:
    """What stands in the fields: that in which all of the runs agree."""
    values = [{name: sanitize(value) for name, value in _values(one).items()} for one in runs]
    return {name: value for name, value in values[0].items() if all(each[name] == value for each in values)}


def _values(one: KnownRun) -> dict[str, str]:
    record = one.record
    minutes = record.get("max_run_minutes")
    return {
        "name": str(record["name"]),
        "tags": shlex.join(record.get("tags") or ()),
        "note": record.get("note") or "",
        "minutes": "none" if minutes is None else f"{minutes:g}",
        "priority": str(record.get("priority") or 0),
    }
