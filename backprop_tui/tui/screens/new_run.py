"""The New run dialog: what to start and how, the same as a shell line, and what the governor would say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.widgets import Input

from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.new_run.draft import COMMAND, MORE, is_empty, shell_line, words_of
from backprop_tui.tui.new_run.paths import Completions, completions
from backprop_tui.tui.new_run.verdict import Verdict, verdict_of
from backprop_tui.tui.panes.new_run import draw_completions, draw_live
from backprop_tui.tui.requests import Desk, Said
from backprop_tui.tui.screens.completing import Completing
from backprop_tui.tui.screens.form import Field, Form
from backprop_tui.tui.tokens import Line
from backprop_tui.tui.widgets.painted import Painted

DEBOUNCE_SECONDS = 0.35
_RESUME = "resume"
_ROWS = (
    (Field(name=COMMAND, label="Command", placeholder="train.py --lr 3e-4, or paste a command line"),),
    (Field(name="name", label="Name", placeholder="the script's"),),
    (
        Field(name="minutes", label="Timebox", width=9, placeholder="default", after="min"),
        Field(name="total", label="  in all", width=9, after="min, in slices that resume"),
    ),
    (
        Field(name="gpus", label="GPUs", width=9, placeholder="default"),
        Field(name="vram", label="  VRAM at least", width=9, placeholder="default", after="MB"),
    ),
    (
        Field(name="priority", label="Priority", width=9, placeholder="0"),
        Field(name="retries", label="  retries", width=9, placeholder="default"),
    ),
    (Field(name="after", label="After", placeholder="a run that has to be done first"),),
    (Field(name="sweep", label="Sweep", placeholder="lr=1e-3,3e-4 seed=1..3"),),
    (Field(name="group", label="Group", width=20), Field(name="tags", label="  tags", placeholder="baseline lm")),
    (Field(name=_RESUME, label="Resume from", placeholder="a checkpoint"),),
    (Field(name=MORE, label="Options", placeholder="--python PATH --cwd DIR --env NAME=VALUE, all of run --help"),),
)
_PATH_FIELDS = {f"field-{COMMAND}", f"field-{_RESUME}"}


class NewRun(Form):
    """Dismissed with the ids of what was queued; `draft` is what stood there, also where it is left."""

    TITLE_WORDS = "New run"
    KEYS = "enter queue · ctrl+n queue, stay · ctrl+r recent · esc keep draft"
    LIVE_ROWS = 5
    BELOW_FIRST = True
    BINDINGS: ClassVar[list[BindingType]] = [
        ("tab", "complete", "complete, or next field"),
        ("ctrl+n", "queue_and_stay", "queue, and stay"),
        ("ctrl+r", "recent", "a recent one"),
    ]

    def __init__(
        self, draft: Mapping[str, str], desk: Desk, recent: Sequence[Mapping[str, str]], *, glyphs: Glyphs
    ) -> None:
        super().__init__(_ROWS, draft, glyphs=glyphs)
        self.draft = dict(draft)
        self._desk = desk
        self._recent = recent
        self._recent_place = -1
        self._changed = asyncio.Event()
        self._verdict: Verdict | None = None
        self._refusal = ""  # of the dry run
        self._error = ""  # of the command itself
        self._queued = ""
        self._busy = False
        self._completing = Completing()

    def on_mount(self) -> None:
        """The verdict follows the fields."""
        super().on_mount()
        self._changed.set()
        self.run_worker(self._follow_verdict(), group="verdict")
        self.draw_live()

    def live(self) -> Sequence[Line]:
        """Python, shell line, verdict, what went wrong."""
        try:
            same = "" if is_empty(self.draft) else shell_line(self.draft)
            refusal = self._refusal
        except ValueError as error:
            same, refusal = "", str(error)
        return draw_live(
            same=same,
            verdict=self._verdict,
            refusal=refusal,
            messages=(self._error, "") if self._error else ("", "queuing" if self._busy else self._queued),
            width=self.room,
            glyphs=self.glyphs,
        )

    @on(Input.Changed)
    def _field_changed(self) -> None:
        self.draft = self.values()
        self._error = self._queued = ""
        self._changed.set()
        self.draw_live()
        self._look_for_paths()

    async def _follow_verdict(self) -> None:
        """One dry run at a time, when the fields have been still for a moment."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await asyncio.sleep(DEBOUNCE_SECONDS)
            if self._changed.is_set():
                continue
            said = await self._rehearsed()
            if not self._changed.is_set():
                self._verdict = None if said is None else verdict_of(said.lines)
                self._refusal = "" if said is None or self._verdict is not None else said.words
                self.draw_live()

    async def _rehearsed(self) -> Said | None:
        """None where there is nothing to rehearse yet."""
        try:
            words = words_of(self.draft)
        except ValueError:
            return None
        return None if is_empty(self.draft) else await self._desk.ask("run", "--dry-run", *words)

    def submit(self) -> None:
        """Queues, and leaves."""
        self._queue(stay=False)

    def action_queue_and_stay(self) -> None:
        """Queues, and another may follow."""
        self._queue(stay=True)

    def _queue(self, *, stay: bool) -> None:
        if self._busy:
            return
        if is_empty(self.draft):
            self._error = "a command is missing: a script, or a command line"
            self.draw_live()
            return
        self._busy = True
        self.run_worker(self._submit(stay=stay), group="submit")

    async def _submit(self, *, stay: bool) -> None:
        try:
            words = words_of(self.draft)
        except ValueError as error:
            self._busy, self._error = False, str(error)
            self.draw_live()
            return
        self._error = ""
        self.draw_live()
        said = await self._desk.ask("run", "-d", *words)
        self._busy = False
        if said.done and not stay:
            self.dismiss(said.lines)
            return
        self._error = "" if said.done else said.words
        self._queued = f"queued {' '.join(said.lines)}" if said.done else ""
        self._changed.set()
        self.draw_live()

    def action_recent(self) -> None:
        """What was run before, newest first; after the oldest the newest again."""
        if self._recent:
            self._recent_place = (self._recent_place + 1) % len(self._recent)
            self.fill(self._recent[self._recent_place])
        else:
            self._error = "nothing was run before"
            self.draw_live()

    def _look_for_paths(self) -> None:
        entry = self.focused
        if not isinstance(entry, Input) or entry.id not in _PATH_FIELDS:
            self._completing.show(Completions(typed=""))
            self._draw_paths()
            return
        typed = self._completing.word(entry.value, entry.cursor_position, whole=entry.id != f"field-{COMMAND}")
        if typed is None:
            self._completing.show(Completions(typed=""))
            self._draw_paths()
        else:
            self._complete(typed)

    @work(group="completion", exclusive=True)
    async def _complete(self, typed: str) -> None:
        """In a thread: a directory may lie on a disk that does not answer."""
        self._completing.show(await asyncio.to_thread(completions, typed))
        self._draw_paths()

    def on_descendant_focus(self) -> None:
        """Another field."""
        self._look_for_paths()

    def _draw_paths(self) -> None:
        line = draw_completions(self._completing.offered, self._completing.chosen, self.room - 13, self.glyphs)
        for below in self.query("#below-first").results(Painted):  # none while the dialog is being left
            below.show([line])

    def action_complete(self) -> None:
        """Tab: completes the path under the cursor, else goes to the next field."""
        entry = self.focused
        offered = isinstance(entry, Input) and entry.id in _PATH_FIELDS and self._completing.offered
        if not offered or not isinstance(entry, Input):
            self.focus_next()
            return
        before = self._completing.typed
        path = self._completing.following()
        start = entry.cursor_position - len(before)
        entry.value = entry.value[:start] + path + entry.value[entry.cursor_position :]
        entry.cursor_position = start + len(path)
        self._draw_paths()
