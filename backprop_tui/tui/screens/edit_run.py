"""The Edit dialog: name, tags, note, timebox and priority of existing runs, and what their Slurm jobs ask for."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

from textual import on
from textual.widgets import Input

from backprop_tui.config.keys import KEYS
from backprop_tui.config.kinds import WrongValue, integer
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.run import SLURM
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.slurm import SlurmOptions
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, Piece, Token, clip
from backprop_tui.tui.screens.draft import SLURM_FIELDS, Field
from backprop_tui.tui.screens.form import Form
from backprop_tui.tui.screens.questions import names_of

_NAME = Field(name="name", label="Name")
_TAGS = Field(name="tags", label="Tags", placeholder="words to find it by")
_NOTE = Field(name="note", label="Note", placeholder="a line about it")
_MINUTES = Field(name="minutes", label="Timebox", width=9, suffix="min of this attempt, or none")
_PRIORITY = Field(name="priority", label="Priority", width=9, suffix="higher goes first")
_PARTITION = Field(name="partition", label="Partition", placeholder="default")
_SLURM_ROWS = ((_PARTITION,), *SLURM_FIELDS)
_SLURM = tuple(field.name for row in _SLURM_ROWS for field in row)  # of SlurmOptions
_UNCHANGED = "nothing is changed yet"


def _tags(text: str) -> list[str]:
    return [tag.removeprefix("#") for tag in shlex.split(text)]


def _seconds(text: str) -> float:
    try:
        minutes = KEYS["max_run_minutes"].kind.read(text or "none")
    except WrongValue as error:
        raise ValueError(f"timebox {sanitize(text)}: {error}") from error
    return inf if minutes is None else 60 * float(str(minutes))


def _priority(text: str) -> int:
    try:
        return int(str(integer().read(text or "0")))
    except WrongValue as error:
        raise ValueError(f"priority {sanitize(text)}: {error}") from error


def _slurm_option(name: str, text: str) -> object:
    """A job that has an option keeps it, or gets another one."""
    if not text:
        raise ValueError(f"{name.replace('_gb', '')}: type another value; a job cannot go back to the default")
    try:
        value = KEYS[f"slurm.{name}"].kind.read(text)
    except WrongValue as error:
        raise ValueError(f"{name.replace('_gb', '')} {sanitize(text)}: {error}") from error
    return int(float(str(value))) if name == "cpus" else value


_PARSERS: Mapping[str, Callable[[str], object]] = {
    "name": str,
    "tags": _tags,
    "note": str,
    "minutes": _seconds,
    "priority": _priority,
}
_ARGUMENTS = {"minutes": "max_run_seconds"}


class EditRun(Form):
    """Sends only what was changed. For several runs there is no name, and a field shows what they have in common."""

    HEADING = "Edit"
    KEYS = "enter save · esc cancel"

    def __init__(self, runs: Sequence[KnownRun], commands: CommandRunner, *, glyphs: Glyphs) -> None:
        rows: list[Sequence[Field]] = [(_TAGS,), (_NOTE,)]
        if len(runs) == 1:
            rows.insert(0, (_NAME,))
        if all(run.status not in ENDED for run in runs):
            rows += [(_MINUTES,), (_PRIORITY,)]
        if all(_waits_for_slurm(run) for run in runs):
            rows += _SLURM_ROWS
        self._before = _common_values(runs)
        super().__init__(rows, self._before, glyphs=glyphs)
        self._runs = runs
        self._commands = commands
        self._error = ""

    def status(self) -> Sequence[Line]:
        subject = f"{names_of(self._runs)}  {self._runs[0].id}" if len(self._runs) == 1 else names_of(self._runs)
        token = Token.BAD if self._error != _UNCHANGED else Token.MUTED
        error = Piece(clip(self._error, self.text_width, self.glyphs), token)
        return [(), (Piece(clip(subject, self.text_width, self.glyphs), Token.MUTED),), (error,)]

    @on(Input.Changed)
    def _field_changed(self) -> None:
        self._error = ""
        self.draw_status()

    def submit(self) -> None:
        try:
            changes = self._changes()
        except ValueError as error:
            self._error = f"{self.glyphs.state('failed')} {error}"
        else:
            self._error = "" if changes else _UNCHANGED
            if changes and not self.is_closing:
                self.is_closing = True
                self.run_worker(self._save(changes), group="submit")
        self.draw_status()

    def _changes(self) -> dict[str, Any]:
        """Returns what was changed, as the arguments of `CommandRunner.edit`.

        Raises:
            ValueError: a field cannot be understood; the message says why.
        """
        texts = {name: text.strip() for name, text in self.values().items() if text != self._before.get(name, "")}
        slurm: dict[str, Any] = {name: _slurm_option(name, texts.pop(name)) for name in _SLURM if name in texts}
        changes = {_ARGUMENTS.get(name, name): _PARSERS[name](text) for name, text in texts.items()}
        return changes | ({"slurm": SlurmOptions(**slurm)} if slurm else {})

    async def _save(self, changes: dict[str, Any]) -> None:
        messages: list[str] = []
        for run in self._runs:
            result = await self._commands.edit([run.id], **changes)
            if not result.done:
                self.is_closing, self._error = False, f"{self.glyphs.state('failed')} {result.message}"
                self.draw_status()
                return
            messages.append(result.message)
        self.dismiss((messages[0] if len(messages) == 1 else f"Changed {counted(len(messages), 'run')}",))


def _common_values(runs: Sequence[KnownRun]) -> dict[str, str]:
    values = [{name: sanitize(value) for name, value in _values(run).items()} for run in runs]
    return {name: value for name, value in values[0].items() if all(other[name] == value for other in values)}


def _waits_for_slurm(run: KnownRun) -> bool:
    return run.status is Status.QUEUED and run.run is not None and run.run.spec.launcher == SLURM


def _values(run: KnownRun) -> dict[str, str]:
    record = run.record
    minutes = record.get("max_run_minutes")
    slurm = SlurmOptions() if run.run is None else run.run.spec.slurm
    return {
        **{name: _text(getattr(slurm, name)) for name in _SLURM},
        "name": str(record["name"]),
        "tags": shlex.join(record.get("tags") or ()),
        "note": record.get("note") or "",
        "minutes": "none" if minutes is None else f"{minutes:g}",
        "priority": str(record.get("priority") or 0),
    }


def _text(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
