"""The form for a run: a new one, one like another with a change, or one that waits and is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Input

from backprop_tui.domain.arguments import OptionSyntax
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import SLURM
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.actions import NEW_RUN_ACTIONS, bindings
from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, clip, hints
from backprop_tui.tui.run_requests import RunSource, submit_lines
from backprop_tui.tui.screens.command_check import CommandCheck
from backprop_tui.tui.screens.completion import CompletingForm
from backprop_tui.tui.screens.draft import (
    COMMAND,
    COMMAND_FIELD,
    FOLDED_FIELDS,
    LAUNCHER,
    MAIN_FIELDS,
    MINUTES,
    SLURM_FIELDS,
    SWEEP,
    Field,
    RecentDrafts,
    commands_of,
    draft_of,
    in_terms_of_fields,
    is_empty,
    left_out,
    same_as,
    words_of,
)
from backprop_tui.tui.screens.edited_command import ArgumentRow, EditedCommand
from backprop_tui.tui.screens.form import INDENT, FieldInput
from backprop_tui.tui.widgets.argument_table import ArgumentTable
from backprop_tui.tui.widgets.line_widget import LineWidget

_KEYS = "ctrl+z undo · ctrl+r history · ctrl+e $EDITOR · ctrl+l clear"
_TABLE_KEYS = "ctrl+z undo · ctrl+d remove · ctrl+r history · ctrl+e $EDITOR"
_READ_SECONDS = 0.5
_ADVICE = "advice"  # the change that the cause of a failure advises


@lazy_dataclass(frozen=True, slots=True)
class _State:
    """Everything that was typed."""

    command: EditedCommand
    fields: Mapping[str, str]


class NewRun(CompletingForm):
    """The result are the ids of the queued runs, or a message about the changed one; None if it was closed.

    `draft` has the fields, also after it was closed.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(NEW_RUN_ACTIONS)

    def __init__(
        self, draft: Mapping[str, str], commands: CommandRunner, source: RunSource | None = None, *, glyphs: Glyphs
    ) -> None:
        self._source = source
        self._edits = source is not None and source.to_edit
        self._advised = None if source is None or self._edits else source.advised
        self._commands = commands
        draft = draft if source is None else draft_of(source.words)
        super().__init__([(COMMAND_FIELD,), MAIN_FIELDS, *FOLDED_FIELDS], draft, glyphs=glyphs)
        syntax = None if source is None else source.syntax
        self._state = self._state_of(draft, EditedCommand.of(draft, syntax, has_source=source is not None))
        self._priority = self._state.fields["priority"]
        self._pending: ArgumentTable.Changed | None = None  # the text in the table that is not in the command yet
        self._changes: list[tuple[str, _State]] = []  # what was changed, and the state before
        self._recent = RecentDrafts(commands.recent_commands)
        self._check = CommandCheck(commands, self._read_drafts, self._show_verdict)
        self._error = self._queued = ""  # of what was typed or done last
        self._busy = self._is_open = False
        self._default_launcher = ""  # of the settings, which are being read
        self._has_asked = False  # enter named the choice between one run and a sweep, or what may be wrong
        self._unread_until = 0.0  # until then enter was pressed before the question could be read
        self._note = "" if source is None else source.warning or ""
        if source is not None and draft[COMMAND] != sanitize(draft[COMMAND]):
            self._note = "characters that a terminal cannot show are replaced in this command"
        self._apply_advice()

    def _state_of(self, draft: Mapping[str, str], command: EditedCommand) -> _State:
        fields = {field.name: sanitize(draft.get(field.name, "")) for row in self._rows for field in row}
        return _State(command, fields | {COMMAND: sanitize(command.text)})

    def _apply_advice(self) -> None:
        """Makes the change that the cause of the failure advises, as the first step that can be undone."""
        command = self._state.command
        advised = command if self._advised is None else command.with_advice(*self._advised)
        if advised != command:
            self._change(advised, _ADVICE)

    def _follows_advice(self, row: ArgumentRow) -> bool:
        return row.differs and row.now is not None and (row.name, row.now.text) == (self._advised or ())[::2]

    # What is shown

    def compose_fields(self) -> ComposeResult:
        self._values = dict(self._state.fields)
        yield self.row_of(self._rows[0])
        yield LineWidget(glyphs=self.glyphs, id="hint")
        yield ArgumentTable(glyphs=self.glyphs, id="arguments")
        yield self.row_of(MAIN_FIELDS)
        yield LineWidget(glyphs=self.glyphs, id="more")
        with Vertical(id="folded"):
            for row in FOLDED_FIELDS:
                yield self.row_of(row)

    @property
    def _folded_rows(self) -> list[Sequence[Field]]:
        """Those for Slurm only if the run is for it, or has a value in one of them."""
        given = any(self._state.fields[field.name].strip() for row in SLURM_FIELDS for field in row)
        launcher = self._state.fields[LAUNCHER].strip() or self._default_launcher
        return [row for row in FOLDED_FIELDS if row not in SLURM_FIELDS or given or launcher == SLURM]

    def count_rows(self) -> int:
        command = self.field(COMMAND)
        rows = command.get_content_height(self.size, self.size, self.text_width - len(INDENT) - 1)
        return rows + self.hint_rows + self._table.line_count + 2 + (len(self._folded_rows) if self._is_open else 0)

    def on_mount(self) -> None:
        self.refresh_state()
        self.run_worker(self._check.follow(), group="verdict")
        self.run_worker(self._show_defaults(), group="default")

    def first_focus(self) -> Widget:
        if self._source is None or not self._table.rows:
            return super().first_focus()
        self._table.go_to(next((index for index, row in enumerate(self._table.rows) if row.differs), 0))
        return self._table

    async def _show_defaults(self) -> None:
        """What applies if nothing is given; a setting that is wrong is reported by the dry run."""
        with suppress(BackpropError):
            settings = await self._commands.settings()
            self._default_launcher = str(settings["run.launcher"])
            minutes = settings.optional_number("max_run_minutes")
            for entry in self.query(f"#field-{MINUTES}").results(FieldInput):  # none while the dialog is being closed
                entry.placeholder = "none (default)" if minutes is None else f"{minutes:g} (default)"
                self._lay_out_folded()

    def refresh_state(self, *, fill: bool = False) -> None:
        """Shows what was changed, and has it checked; `fill` fills in the fields, too."""
        if fill:
            self.fill(self._state.fields)
        self._lay_out_folded()
        self._show_rows()
        self._draw_more()
        self._judge_again()

    def _judge_again(self) -> None:
        """Has the command checked with the text in the table, as if that were in it already."""
        self._error, self._queued, self._has_asked = "", "", False
        self._pending = self._table.pending
        self._check.again()
        self._draw_heading()
        self.draw_status()

    @property
    def _judged(self) -> EditedCommand:
        """The command with the text in the table."""
        with suppress(ValueError):  # the command cannot be read
            if (pending := self._pending) is not None:
                return self._state.command.with_change(pending.place, pending.text)
        return self._state.command

    @on(ArgumentTable.Typed)
    def _argument_typed(self) -> None:
        if self._pending is not None or self._table.pending is not None:
            self._judge_again()

    def _show_rows(self) -> None:
        rows = self._state.command.rows()
        last = self._changes[-1][0] if self._changes else ""
        note = f"advice: out of memory{'   ctrl+z' if last == _ADVICE else ''}"
        notes = {row.place: note for row in rows if self._follows_advice(row)}
        command = self._state.command
        self._table.show_rows(rows, notes, command.refused_values(), marks=command.has_source)

    def _draw_heading(self) -> None:
        source = self._source
        if source is None:
            title = "New run"
        elif source.to_edit:
            title = f"Edit {sanitize(source.name)}"
        else:
            differs = self._judged.differences() if self._judged.has_source else 0
            title = f"Rerun {sanitize(source.name)} {self.glyphs.between} differs from {source.run_id} in {differs}"
        box = self.query_one("#form")
        box.border_title = clip(title, self.text_width - 2, self.glyphs)
        does = "save" if self._edits else "queue"
        enter = "add" if self._table.is_adding else does if self._edits else f"{does} · ctrl+n keep open"
        kept = "close" if source is not None else "close, draft kept"
        self.KEYS = f"enter {enter} · ctrl+o {'less' if self._is_open else 'more'} · esc {kept}"

    def _draw_more(self) -> None:
        arrow = ("▾" if self._is_open else "▸") if self.glyphs.unicode else ("v" if self._is_open else ">")
        folded = ((field.label, self._state.fields[field.name].strip()) for row in FOLDED_FIELDS for field in row)
        given = [f"{label.strip().lower()} {value}" for label, value in folded if value]
        text = ", ".join(given) or "name, group, tags, after, retries, sweep …"
        line = LineBuilder().extend([Piece(f"{arrow} more", Token.ACCENT, click="screen.more")]).put("  ")
        if not self._is_open:
            shown = clip(text, self.text_width - line.column, self.glyphs)
            line.extend([Piece(shown, Token.FG if given else Token.FAINT, click="screen.more")])
        self.query_one("#more", LineWidget).show([line.line()])

    def status(self) -> Sequence[Line]:
        """Returns interpreter, warnings, verdict, the last error or result, and keys."""
        lines: list[Line] = []
        verdict = self._check.verdict
        if verdict is not None and verdict.python:
            lines += self.named_lines("Python", verdict.python)
        if self._is_open:
            lines += self.wrapped_lines(same_as(self._placed), Token.MUTED)
        hint = "" if self._state.fields[SWEEP] else self._judged.sweep_hint(asks=self._has_asked)
        if (runs := len(self._commands_typed)) > 1:
            asks = "enter again: " if self._has_asked else ""
            hint = f"{asks}{runs} runs, one for each command, which may run at the same time"
        stale, left = self._judged.outdated_output(), left_out(self._state.fields[COMMAND])
        refused = self._judged.refusals(asks=self._has_asked)
        warning = None if verdict is None else verdict.warning
        unknown = () if verdict is None else set(verdict.misspelled).difference(self._judged.misspelled())
        for text in filter(None, (self._note, left, stale, warning, *unknown, *refused, hint)):
            lines += self.marked_lines("conservative", text, Token.WARN)
        lines += self._verdict_lines()
        if self._error:
            lines += self.marked_lines("failed", self._error, Token.BAD, bold=True)
        elif self._busy or self._queued:
            lines += self.wrapped_lines("queuing" if self._busy else self._queued, Token.OK)
        keys = _TABLE_KEYS if self.is_mounted and self._table.has_focus else _KEYS
        shown = clip(keys.replace("·", self.glyphs.between), self.text_width, self.glyphs)
        return [*lines, tuple(hints(shown, self.glyphs.between))]

    def _verdict_lines(self) -> list[Line]:
        verdict, refusal = self._check.verdict, self._check.refusal
        if refusal and refusal != self._error:
            return self.marked_lines("failed", refusal, Token.BAD)
        if self._is_empty or refusal:
            return []
        if verdict is None:
            return [(Piece(f"checking {self.glyphs.clipped}", Token.MUTED),)]
        if self._edits:
            moves = self._state.fields["priority"] != self._priority
            return self.marked_lines(*verdict.of_waiting(moves=moves))
        return self.marked_lines(*verdict.sentence(self._judged.doubt), bold=True)

    # What is typed

    @property
    def draft(self) -> dict[str, str]:
        return {**self._state.fields, **self._judged.kept()}

    @property
    def _placed(self) -> dict[str, str]:
        return self._judged.placed(self._state.fields)

    @property
    def _commands_typed(self) -> Sequence[str]:
        """Several that were pasted become as many runs."""
        text = self._state.fields[COMMAND]
        return [text] if self._edits else commands_of(text)

    @property
    def _drafts(self) -> Sequence[Mapping[str, str]]:
        """A draft for each command."""
        several = self._commands_typed
        return [self._placed] if len(several) == 1 else [{**self._state.fields, COMMAND: each} for each in several]

    @property
    def _is_empty(self) -> bool:
        return is_empty(self._state.fields)

    @property
    def _is_undecided(self) -> bool:
        has_list = not (self._edits or self._state.fields[SWEEP]) and self._judged.is_undecided
        return has_list or len(self._commands_typed) > 1 or bool(self._judged.doubt)

    def _remember(self, change: str) -> None:
        """Keeps the state before a change for ctrl+z; changes of one field in a row are one step."""
        if not self._changes or self._changes[-1][0] != change:
            self._changes.append((change, self._state))

    def _change(self, command: EditedCommand, change: str) -> None:
        """Changes the arguments."""
        self._remember(change)
        self._state = _State(command, {**self._state.fields, COMMAND: command.text})
        if self.is_mounted:
            self.field(COMMAND).value = command.text
            self.refresh_state()

    def replace_draft(self, draft: Mapping[str, str], change: str) -> None:
        """Replaces everything."""
        self._remember(change)
        self._state = self._state_of(draft, EditedCommand.of(draft))
        if self.is_mounted:
            self.refresh_state(fill=True)

    @on(Input.Changed)
    def take_values(self) -> None:
        values, before = self.values(), self._state.fields
        changed = [name for name, value in values.items() if value != before.get(name)]
        if changed:
            self._remember(changed[0])
            command = self._state.command
            command = command.with_text(values[COMMAND]) if COMMAND in changed else command
            self._state = _State(command, values)
            self.refresh_state()
        self.find_completions()

    @on(ArgumentTable.Changed)
    def _argument_changed(self, message: ArgumentTable.Changed) -> None:
        command = self._state.command
        with suppress(ValueError):  # a quotation is being typed
            changed = command.with_change(place := message.place, text := message.text)
            if not message.goes_on or changed.names == command.names:
                self._change(changed, f"added {text}" if place is None else f"argument {place}")

    @on(ArgumentTable.RowKey)
    def _argument_key(self, message: ArgumentTable.RowKey) -> None:
        row, command = message.row, self._state.command
        with suppress(ValueError):  # the command cannot be read
            if message.key != "ctrl+s":
                change = command.with_restored(row) if row.now is None else command.without(row.place)
                self._change(change, f"removed {row.place}, {len(self._changes)}")
            elif row.listed:
                self._change(command.switched(row.place), f"switched {row.place}")

    def action_switch_sweep(self) -> None:
        """Outside of the table ctrl+s is for all of its rows."""
        self._change(self._state.command.all_switched(), f"switched all, {len(self._changes)}")

    def action_undo(self) -> None:
        if self._table.revert():
            return
        if not self._changes:
            self._error = "nothing to undo"
            self.draw_status()
            return
        self._state = self._changes.pop()[1]
        self.refresh_state(fill=True)

    def action_clear(self) -> None:
        """Empties all fields; ctrl+z brings them back."""
        self._table.revert()
        self._table.commit(self._argument_changed)
        self.replace_draft({}, f"cleared {len(self._changes)}")
        self.set_focus(self.field(COMMAND))

    def action_more(self) -> None:
        """Unfold the other fields, or fold them."""
        self._is_open = not self._is_open
        self.refresh_state()
        if self._is_open:
            self.set_focus(self.field(FOLDED_FIELDS[0][0].name))

    def _lay_out_folded(self) -> None:
        folded = self.query_one("#folded")
        if not self._is_open and self.focused is not None and folded in self.focused.ancestors:
            self.set_focus(self.field(MINUTES))
        folded.display = self._is_open
        shown = self._folded_rows
        for fields, row in zip(FOLDED_FIELDS, folded.children, strict=False):
            row.display = fields in shown

    def action_recent(self) -> None:
        """Fill in the recent commands one after the other, newest first."""
        self.run_worker(self._fill_in_recent(), group="recent")

    async def _fill_in_recent(self) -> None:
        draft = await self._recent.next()
        if draft is not None:
            self.replace_draft(draft, "history")
        else:
            self._error = "no recent commands"
            self.draw_status()

    def action_editor(self) -> None:
        """Opens the command line in $EDITOR."""
        try:
            text = self.edit_in_editor(self._state.fields[COMMAND])
        except ValueError as error:
            self._error = str(error)
            self.draw_status()
        else:
            self._change(self._state.command.with_text(text), f"editor {len(self._changes)}")

    # What becomes of it

    async def _read_drafts(self) -> Sequence[Mapping[str, str]]:
        await self.quote_path()
        return self._drafts

    def _show_verdict(self) -> None:
        verdict = self._check.verdict
        command = self._state.command if verdict is None else self._state.command.with_syntax(verdict.syntax)
        if command != self._state.command and self.is_mounted:
            self._state = _State(command, self._state.fields)
            self._show_rows()
            self.find_completions()  # it may be a value of one of the options that are known now
        self.draw_status()

    @on(ArgumentTable.Submitted)
    def submit(self) -> None:
        self._queue(stay=False)

    def action_queue_and_stay(self) -> None:
        self._table.commit(self._argument_changed)
        self._queue(stay=True)

    def _queue(self, *, stay: bool) -> None:
        if self._busy or self._table.refuses() or self._clock() < self._unread_until:
            return
        if self._is_empty:
            self._error = "a command is missing: a script, or a command line"
        elif self._edits and not self._changes:
            self._error = "nothing is changed yet"
        elif not self._has_asked and self._is_undecided:
            self._has_asked = True
        else:
            self._busy, self.is_closing = True, not stay
            self.run_worker(self._submit(stay=stay), group="submit")
        self.draw_status()

    def _clock(self) -> float:
        return asyncio.get_running_loop().time()

    async def _submit(self, *, stay: bool) -> None:
        await self.quote_path()
        self._error, submitted, drafts = "", self.draft, self._drafts
        await self._check.settle()
        if not self._has_asked and self._is_undecided:
            self._has_asked, self._unread_until = True, self._clock() + _READ_SECONDS
            self._busy = self.is_closing = False
            self.draw_status()
            return
        try:
            result = await self._carry_out(list(map(words_of, drafts)))
        except ValueError as error:
            result = CommandResult(done=False, message=str(error))
        self._busy = self.is_closing = False
        if result.done and (not result.run_ids or (not stay and self.draft == submitted)):
            self.dismiss(result.run_ids or (result.message,))
            return
        self._error = "" if result.done else in_terms_of_fields(result.message, self._state.fields)
        self._queued = f"queued {' '.join(result.run_ids)}" if result.done else ""
        self._check.again()
        self.draw_status()

    async def _carry_out(self, lines: Sequence[Sequence[str]]) -> CommandResult:
        """Changes the run, or queues one for each line; after one that is refused, what is left stays in the form."""
        if self._source is not None and self._source.to_edit:
            return await self._commands.change_queued(self._source.run_id, lines[0])
        result, left = await submit_lines(self._commands, lines)
        if left and result.run_ids:
            rest = " ; ".join(self._commands_typed[-left:])
            self._change(self._state.command.with_text(rest), f"queued {len(result.run_ids)}")
        return result

    @property
    def syntax(self) -> OptionSyntax:
        return self._state.command.syntax

    async def script_options(self) -> Sequence[str]:
        try:
            words = words_of(self._placed)
        except ValueError:  # a quotation is being typed
            return ()
        return await self._commands.script_options(words)
