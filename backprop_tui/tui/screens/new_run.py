"""The New run dialog: what to start and how, the equivalent shell line, and what the governor would decide."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.widgets import Input

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.actions import NEW_RUN_ACTIONS, bindings
from backprop_tui.tui.commands import CommandRunner, StartVerdict
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, clip
from backprop_tui.tui.screens.draft import COMMAND, MORE, Draft, is_empty, shell_line, words_of
from backprop_tui.tui.screens.form import Field, FieldInput, Form
from backprop_tui.tui.screens.path_completion import Completions, PathCompletion, completions
from backprop_tui.tui.widgets.line_widget import LineWidget

DEBOUNCE_SECONDS = 0.35
_RESUME, _MINUTES = "resume", "minutes"
_ROWS = (
    (Field(name=COMMAND, label="Command", placeholder="train.py --lr 3e-4, or paste a command line"),),
    (Field(name="name", label="Name", placeholder="name of the script"),),
    (
        Field(name=_MINUTES, label="Timebox", width=9, placeholder="default", suffix="min, or none"),
        Field(name="total", label="  total", width=9, suffix="min, split into slices"),
    ),
    (
        Field(name="gpus", label="GPUs", width=9, placeholder="default"),
        Field(name="vram", label="  VRAM at least", width=9, placeholder="default", suffix="MB"),
    ),
    (
        Field(name="priority", label="Priority", width=9, placeholder="0"),
        Field(name="retries", label="  retries", width=9, placeholder="default"),
    ),
    (Field(name="after", label="After", placeholder="name or id of a run to finish first"),),
    (Field(name="sweep", label="Sweep", placeholder="lr=1e-3,3e-4 seed=1..3"),),
    (Field(name="group", label="Group", width=20), Field(name="tags", label="  tags", placeholder="baseline lm")),
    (Field(name=_RESUME, label="Resume from", placeholder="a checkpoint"),),
    (Field(name=MORE, label="Options", placeholder="--python PATH --cwd DIR --env NAME=VALUE, all of run --help"),),
)
_PATH_FIELDS = {f"field-{COMMAND}", f"field-{_RESUME}"}
_INDENT = " " * 13
_TAB = " tab completes"


def draw_completions(completion: PathCompletion, width: int, glyphs: Glyphs) -> Line:
    """As many completions as fit, without the directories they share."""
    paths, chosen = completion.candidates, completion.chosen
    if not paths:
        return ()
    builder = LineBuilder().put(_INDENT)
    room = width - len(_TAB)
    first = 0 if chosen is None else max(0, chosen - 2)
    for index in range(first, len(paths)):
        stem = paths[index].rstrip("/").rpartition("/")[0]
        name = paths[index][len(stem) + 1 :] if stem else paths[index]
        if builder.column + len(name) + 2 > room:
            if index == first:
                builder.put(clip(name, room - builder.column - 2, glyphs))
            else:
                builder.put(glyphs.clipped, Token.MUTED)
            break
        builder.put(f" {name} ", Token.FG if index == chosen else Token.MUTED, chosen=index == chosen)
    return builder.put(" tab", Token.ACCENT, bold=True).put(" completes", Token.MUTED).line()


def verdict_text(verdict: StartVerdict) -> str:
    if verdict.runs == 1:
        return verdict.message if verdict.starts else f"would wait: {verdict.message}"
    if verdict.starts == verdict.runs:
        return f"all {verdict.runs} would start now"
    waiting = verdict.runs - verdict.starts
    return f"{verdict.starts} of {verdict.runs} would start now; {waiting} wait: {verdict.message}"


class NewRun(Form):
    """The result are the ids of the queued runs; `draft` has the fields, also after it was closed."""

    HEADING = "New run"
    KEYS = "enter queue · ctrl+n queue and keep open · ctrl+r history · esc close (draft kept)"
    STATUS_ROWS = 5
    HAS_HINT = True
    BINDINGS: ClassVar[list[BindingType]] = bindings(NEW_RUN_ACTIONS)

    def __init__(
        self, draft: Mapping[str, str], commands: CommandRunner, recent: Sequence[Draft], *, glyphs: Glyphs
    ) -> None:
        super().__init__(_ROWS, draft, glyphs=glyphs)
        self.draft = dict(draft)
        self._commands = commands
        self._recent = recent
        self._recent_index = -1
        self._changed = asyncio.Event()
        self._verdict: StartVerdict | None = None
        self._refusal = ""  # of the dry run
        self._error = ""  # of the submission
        self._queued = ""
        self._busy = False
        self._completion = PathCompletion()

    def on_mount(self) -> None:
        super().on_mount()
        self._changed.set()
        self.run_worker(self._follow_verdict(), group="verdict")
        self.run_worker(self._show_default_timebox(), group="default")
        self.draw_status()

    async def _show_default_timebox(self) -> None:
        """What applies if nothing is given; a setting that is wrong is reported by the dry run."""
        with suppress(BackpropError):
            minutes = (await self._commands.settings()).optional_number("max_run_minutes")
            for entry in self.query(f"#field-{_MINUTES}").results(FieldInput):  # none while the dialog is being closed
                entry.placeholder = "none" if minutes is None else f"{minutes:g}"

    def status(self) -> Sequence[Line]:
        """Returns interpreter, equivalent shell command, verdict, and the last error or result."""
        try:
            same = "" if is_empty(self.draft) else shell_line(self.draft)
            refusal = self._refusal
        except ValueError as error:
            same, refusal = "", str(error)
        python = "" if self._verdict is None else self._verdict.python or ""
        verdict = self._verdict_piece(refusal) if same or refusal else Piece("")
        lines: list[Line] = [()]
        for label, piece in (("python", Piece(python)), ("same as", Piece(same)), ("verdict", verdict)):
            text = clip(piece.text, self.text_width - len(_INDENT), self.glyphs)
            lines.append((Piece(f"{label:<13}", Token.MUTED), Piece(text, piece.token, bold=piece.bold)))
        last = Piece("queuing" if self._busy else self._queued, Token.OK)
        if self._error:
            last = Piece(f"{self.glyphs.state('failed')} {self._error}", Token.BAD, bold=True)
        return [*lines, (Piece(clip(last.text, self.text_width, self.glyphs), last.token, bold=last.bold),)]

    def _verdict_piece(self, refusal: str) -> Piece:
        if refusal:
            return Piece(refusal, Token.WARN)
        if self._verdict is None:
            return Piece(f"checking {self.glyphs.clipped}", Token.MUTED)
        state, token = ("completed", Token.OK) if self._verdict.starts else ("waiting", Token.INFO)
        return Piece(f"{self.glyphs.state(state)} {verdict_text(self._verdict)}", token, bold=True)

    @on(Input.Changed)
    def _field_changed(self) -> None:
        self.draft = self.values()
        self._error = self._queued = ""
        self._changed.set()
        self.draw_status()
        self._find_completions()

    async def _follow_verdict(self) -> None:
        """Does one dry run at a time, when the fields have not changed for a moment."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await asyncio.sleep(DEBOUNCE_SECONDS)
            if self._changed.is_set():
                continue
            verdict, refusal = await self._dry_run()
            if not self._changed.is_set():
                self._verdict, self._refusal = verdict, refusal
                self.draw_status()

    async def _dry_run(self) -> tuple[StartVerdict | None, str]:
        """Returns the verdict, or why there is none; neither while there is nothing to try."""
        try:
            words = words_of(self.draft)
        except ValueError:
            return None, ""
        if is_empty(self.draft):
            return None, ""
        try:
            return await self._commands.dry_run(words), ""
        except BackpropError as error:
            return None, sanitize(str(error))

    def submit(self) -> None:
        self._queue(stay=False)

    def action_queue_and_stay(self) -> None:
        self._queue(stay=True)

    def _queue(self, *, stay: bool) -> None:
        if self._busy:
            return
        if is_empty(self.draft):
            self._error = "a command is missing: a script, or a command line"
            self.draw_status()
            return
        self._busy = True
        self.run_worker(self._submit(stay=stay), group="submit")

    async def _submit(self, *, stay: bool) -> None:
        try:
            words = words_of(self.draft)
        except ValueError as error:
            self._busy, self._error = False, str(error)
            self.draw_status()
            return
        self._error = ""
        self.draw_status()
        result = await self._commands.submit(words)
        self._busy = False
        if result.done and not stay:
            self.dismiss(result.run_ids)
            return
        self._error = "" if result.done else result.message
        self._queued = f"queued {' '.join(result.run_ids)}" if result.done else ""
        self._changed.set()
        self.draw_status()

    def action_recent(self) -> None:
        """Fill in the recent commands one after the other, newest first."""
        if self._recent:
            self._recent_index = (self._recent_index + 1) % len(self._recent)
            self.fill(self._recent[self._recent_index])
        else:
            self._error = "no recent commands"
            self.draw_status()

    @property
    def _path_field(self) -> FieldInput | None:
        """The focused field, if it may contain a path."""
        entry = self.focused
        return entry if isinstance(entry, FieldInput) and entry.id in _PATH_FIELDS else None

    def _find_completions(self) -> None:
        entry = self._path_field
        path = None
        if entry is not None:
            is_path = entry.id != f"field-{COMMAND}"
            path = PathCompletion.path_before_cursor(entry.value, entry.cursor_position, whole_field=is_path)
        if path is None:
            self._completion.show(Completions(typed=""))
            self._draw_completions()
        else:
            self._complete(path)

    @work(group="completion", exclusive=True)
    async def _complete(self, path: str) -> None:
        """Reads the directory in a thread, because its disk may not answer."""
        self._completion.show(await asyncio.to_thread(completions, path))
        self._draw_completions()

    def on_descendant_focus(self) -> None:
        self._find_completions()

    def _draw_completions(self) -> None:
        line = draw_completions(self._completion, self.text_width, self.glyphs)
        for widget in self.query("#hint").results(LineWidget):  # none while the dialog is being closed
            widget.show([line])

    def action_complete(self) -> None:
        """Complete the path under the cursor; without one go to the next field."""
        entry = self._path_field
        if entry is None or not self._completion.candidates:
            self.focus_next()
            return
        before = self._completion.typed
        path = self._completion.next_path()
        start = entry.cursor_position - len(before)
        entry.value = entry.value[:start] + path + entry.value[entry.cursor_position :]
        entry.cursor_position = start + len(path)
        self._draw_completions()
