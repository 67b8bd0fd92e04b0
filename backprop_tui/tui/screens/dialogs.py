"""The screens and dialogs that the main screen opens, and what becomes of their answers."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from textual import events, on
from textual.message import Message

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.states import cause_of
from backprop_tui.tui.absence import AbsenceDigest
from backprop_tui.tui.action import Action, Scope
from backprop_tui.tui.actions import ACTIONS, GROUP, LOG, METRICS, MOVE, RUNS
from backprop_tui.tui.background_calls import READ_ONLY
from backprop_tui.tui.bridge import Bridge
from backprop_tui.tui.charts.source import ChartSource
from backprop_tui.tui.clipboard import copy_text
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.notifications import EventNotice
from backprop_tui.tui.panes.selected_run import LOG as LOG_TAB
from backprop_tui.tui.panes.selected_run import METRICS as METRICS_TAB
from backprop_tui.tui.run_requests import RunSource
from backprop_tui.tui.screens.panes_screen import PanesScreen
from backprop_tui.tui.screens.ui_state import Targets
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.widgets.log import LogView

if TYPE_CHECKING:
    from backprop_tui.tui.log.places import Place
    from backprop_tui.tui.screens.remedy_actions import RemedyActions
    from backprop_tui.tui.screens.run_actions import RunActions
    from backprop_tui.tui.user_commands import UserCommand

_TRACEBACK_BYTES = 256 << 10  # of the end of a log, in which the traceback of a cause is looked for
_MAX_PLACES = 50  # that a log names, of which the first existing one is opened

_TABS = {Scope.LOG: LOG_TAB, Scope.METRICS: METRICS_TAB}
_READ_SECONDS = 0.4  # no key is held back for longer

# Dialogs are imported when they are opened, so that they do not delay the first paint.


class DialogsScreen(PanesScreen):
    """Opens dialogs and other screens for actions of the registry."""

    class DemoRequested(Message):
        """Shows the demo in place of the dashboard."""

    def __init__(
        self,
        snapshot: Snapshot,
        bridge: Bridge,
        commands: CommandRunner,
        charts: ChartSource,
        *,
        glyphs: Glyphs,
        selected_run: str | None = None,
        user_commands: Sequence[UserCommand] = (),
    ) -> None:
        self._charts = charts
        super().__init__(snapshot, bridge, charts, glyphs=glyphs, selected_run=selected_run)
        self.commands = commands
        self.user_commands = user_commands
        self._draft: Mapping[str, str] = {}  # of the New run dialog, kept from one opening to the next

    @cached_property
    def _run_actions(self) -> RunActions:
        from backprop_tui.tui.screens.run_actions import RunActions

        return RunActions(self.commands, self)

    @cached_property
    def _remedy_actions(self) -> RemedyActions:
        from backprop_tui.tui.screens.remedy_actions import RemedyActions

        return RemedyActions(self.commands, self._run_actions, self)

    def refuses_changes(self) -> bool:
        """Whether the dashboard is read-only; says so if it is."""
        if self.snapshot.is_read_only:
            self.tell(READ_ONLY, bad=True)
        return self.snapshot.is_read_only

    def _targets(self) -> Targets | None:
        """What an action applies to, nothing but visible runs; without any it says why and returns None."""
        self._follow_cursor()
        targets = self.state.target_runs(self.snapshot, self.runs_table.view.run_ids)
        if not targets.runs:
            self.tell(self._why_no_run(), bad=True)
        return targets if targets.runs else None

    def _pane_run(self) -> KnownRun | None:
        """The run of the pane; without any it says why and returns None."""
        self._follow_cursor()
        run = self.state.selected_run(self.snapshot)
        if run is None:
            self.tell(self._why_no_run(), bad=True)
        return run

    def _why_no_run(self) -> str:
        state = self.state
        if self.snapshot.is_beginning:
            return "There is no run yet. n starts one"
        if not self.runs_table.view.rows:
            return "Nothing is shown: esc clears the filter" if state.filter else "There is no run"
        if state.marked and not state.target_runs(self.snapshot, self.runs_table.view.run_ids).runs:
            shown_by = "esc clears the filter" if state.filter else "a shows older runs"
            return f"{counted(len(state.marked), 'marked run')} not shown: {shown_by}"
        return "These runs are not listed yet: a shows them"

    def action_new(self) -> None:
        """Opens the New run dialog with the draft that was left."""
        self._open_new_run(self._draft, keep=True)

    @on(events.Paste)
    def _pasted(self, message: events.Paste) -> None:
        """Opens the New run dialog with a command line that was pasted, or a file that was dropped on the window."""
        from backprop_tui.tui.screens.draft import COMMAND
        from backprop_tui.tui.screens.shell_line import join_lines

        line = sanitize(join_lines(message.text)).lstrip()
        if line and not self.refuses_changes():
            self._open_new_run(self._draft, keep=True, pasted={COMMAND: line})

    async def action_copy_as_new(self) -> None:
        """Opens the form for a new run like the selected one."""
        run = self._pane_run()
        if run is not None:
            await self._open_run_of(run)

    async def _open_run_of(self, run: KnownRun, *, to_edit: bool = False) -> None:
        """Opens a form for a run when its record is read; keys typed meanwhile are for the form, if that is quick."""
        read = asyncio.Event()

        async def read_and_open() -> None:
            try:
                source = await self.commands.run_source(run.id, to_edit=to_edit)
                if self.app.screen is self:
                    self._open_new_run({}, source)
            except BackpropError as error:
                self.tell(sanitize(str(error)), bad=True)
            finally:
                read.set()

        self.work(read_and_open())
        with suppress(TimeoutError):
            await asyncio.wait_for(read.wait(), _READ_SECONDS)

    def action_example(self) -> None:
        """Queues the example at once, and once: another key before its row appears does nothing."""
        if self.example is None:
            self.tell("The example is not installed", bad=True)
        elif self._awaited is None:
            self.await_run("")
            self.work(self._queue_example(self.example))

    async def _queue_example(self, script: str) -> None:
        result = await self.commands.submit([script])
        self.await_run(next(iter(result.run_ids), None), queued=len(result.run_ids))
        if not result.done:
            self.tell(result.message, bad=True)

    def action_demo(self) -> None:
        self.post_message(self.DemoRequested())

    def _open_new_run(
        self,
        draft: Mapping[str, str],
        source: RunSource | None = None,
        *,
        keep: bool = False,
        pasted: Mapping[str, str] | None = None,
    ) -> None:
        """Opens the form for a run, perhaps one of `source`; `keep` keeps what was typed when it is closed.

        What was pasted replaces the draft; ctrl+z brings it back.
        """
        from backprop_tui.tui.screens.new_run import NewRun

        dialog = NewRun(draft, self.commands, source, glyphs=self.glyphs)
        to_edit = source is not None and source.to_edit
        if pasted is not None:
            dialog.replace_draft(pasted, "pasted")

        def closed(result: tuple[str, ...] | None) -> None:
            if keep:
                self._draft = {} if result else dialog.draft
            if result and to_edit:
                self.tell(result[0])
            elif result:
                self.await_run(result[0], queued=len(result))
            self._bridge.look()

        self.app.push_screen(dialog, closed)

    async def action_edit(self) -> None:
        """A run that waits for its first start can be changed as a whole, others in some fields."""
        targets = self._targets()
        if targets is None:
            return
        run = targets.runs[0]
        is_submitted = run.run is not None and run.run.submitted_job is not None
        is_new = run.status is Status.QUEUED and not run.record["attempts"] and not is_submitted
        if len(targets.runs) == 1 and is_new:
            await self._open_run_of(run, to_edit=True)
        else:
            self.edit_fields(targets.runs)

    def edit_fields(self, runs: Sequence[KnownRun]) -> None:
        from backprop_tui.tui.screens.edit_run import EditRun

        def closed(messages: tuple[str, ...] | None) -> None:
            for message in messages or ():
                self.tell(message)
                self._bridge.look()

        self.app.push_screen(EditRun(runs, self.commands, glyphs=self.glyphs), closed)

    def action_settings(self) -> None:
        """Begins at the setting that the header says is wrong."""
        wrong = self.snapshot.wrong_setting
        self.open_settings(None if wrong is None else wrong.key)

    def open_settings(self, key: str | None = None) -> None:
        """Opens the settings with the cursor on a key."""
        from backprop_tui.tui.screens.settings import SettingsScreen

        self.app.push_screen(
            SettingsScreen(self.commands, glyphs=self.glyphs, key=key, is_read_only=self.snapshot.is_read_only)
        )

    def action_help(self) -> None:
        self.open_help()

    def open_help(self, search: str = "") -> None:
        """Opens the help with what matches a search."""
        from backprop_tui.tui.screens.help import Help

        of_tab = GROUP if self.selected.shows_group else (LOG, METRICS, METRICS, MOVE, MOVE)[self.selected.tab]
        section = of_tab if self.selected.has_focus_within else RUNS
        commands, actions = self.offered(self.user_commands), self.offered(ACTIONS)

        async def closed(entry: Action | UserCommand | None) -> None:
            if isinstance(entry, Action):
                await self.carry_out(entry)
            elif entry is not None:
                await self.run_user_command(entry)

        self.app.push_screen(Help(commands, actions, first=section, search=search, glyphs=self.glyphs), closed)

    def action_digest(self) -> None:
        """Opens the digest at once; it gets pauses and waits when the events of its runs are read."""
        self.show_digest(self._bridge.digest_without_events(self.snapshot), opens=True)
        self._bridge.request_digest()

    def show_digest(self, digest: AbsenceDigest, *, opens: bool) -> None:
        """Opens the digest if `opens` and no other screen is open; otherwise says that there is one."""
        if not opens or self.app.screen is not self:
            ended = sum(recalled.run.status in ENDED for recalled in digest.runs)
            self.tell(f"{counted(ended, 'run')} ended while you were away. D shows them", kind=EventNotice)
            return
        from backprop_tui.tui.panes.digest import RETRY, SHOW, Digest, digest_view

        screen = Digest(digest_view(digest, self.snapshot), glyphs=self.glyphs)

        def closed(answer: str | None) -> None:
            if answer == SHOW and screen.view.first_failure is not None:
                self.go_to(screen.view.first_failure)
            elif answer == RETRY:
                runs = [run for run in map(self.snapshot.find, screen.view.retry) if run is not None]
                self.work(self._run_actions.resume(Targets(runs)))

        self.app.push_screen(screen, closed)

    def complete_digest(self, digest: AbsenceDigest) -> None:
        """Shows what was read for it, if it is open still."""
        from backprop_tui.tui.panes.digest import Digest, digest_view

        screen = self.app.screen
        if isinstance(screen, Digest):
            screen.show_view(digest_view(digest, self.snapshot))

    def action_compare(self) -> None:
        """Compares the marked runs; of a selected group shows the curves."""
        from backprop_tui.tui.screens.compare import CompareScreen

        targets = self._targets()
        if targets is None:
            return
        if self.selected.shows_group and not self.state.marked:
            self.selected.group_pane.next_color()
            self.paint_selected()
            return
        if len(targets.runs) < 2:
            self.tell("Mark two runs or more with space, then compare them", bad=True)
            return
        ids = [run.id for run in targets.runs]
        self.app.push_screen(CompareScreen(ids, lambda: self.snapshot, self._charts, glyphs=self.glyphs))

    def action_copy(self) -> None:
        """Copies the value under the cursor of the details, something of the selected run, or the ids of several."""
        value = self.selected.details.value_at_cursor
        if self.selected.details.has_focus and value is not None:
            name, text = value
            copy_text(self.app, text, name)
            return
        targets = self._targets()
        if targets is None:
            return
        if len(targets.runs) == 1:
            self.work(self._choose_and_copy(targets.runs[0]))
        else:
            copy_text(self.app, " ".join(run.id for run in targets.runs), f"{len(targets.runs)} ids")

    async def _choose_and_copy(self, run: KnownRun) -> None:
        from backprop_tui.tui.screens.questions import CANCEL, copy_question, copyable

        answer = await self.ask(copy_question(run))
        if answer != CANCEL:
            name, text = copyable(run)[answer]
            copy_text(self.app, text, name)

    @on(LogView.LinesChosen)
    def _lines_chosen(self, message: LogView.LinesChosen) -> None:
        if message.lines:
            copy_text(self.app, "\n".join(message.lines), counted(len(message.lines), "line"))

    def action_pager(self) -> None:
        run = self._pane_run()
        if run is None:
            return
        path = run.record.get("log_path")
        if path is None or not os.path.exists(path):
            self.tell("This run has no log", bad=True)
            return
        from backprop_tui.tui.screens.running_commands import run_in_terminal

        words = [*shlex.split(os.environ.get("PAGER") or "less +G"), path]
        run_in_terminal(self, words, program="a pager", hint="Set $PAGER")

    async def carry_out(self, action: Action) -> None:
        """Does an action of this screen or of one of its panes, which is shown first if need be."""
        if action.scope is Scope.MAIN:
            await self.run_action(action.command)
        elif (action.scope is Scope.GROUP) != self.selected.shows_group:
            self.tell("Select a group first" if action.scope is Scope.GROUP else "Select a run first", bad=True)
        else:
            if action.scope in _TABS:
                self.selected.choose(_TABS[action.scope])
            self.set_focus(self.selected.tab_widget)
            await self.selected.tab_widget.run_action(action.command)

    async def run_user_command(self, command: UserCommand) -> None:
        """Runs a command of the user for the selected run, or the action that it stands for."""
        from backprop_tui.tui.screens.running_commands import start_command

        if command.action is not None:
            await self.carry_out(command.action)
        else:
            self.work(start_command(self, command, self.state.selected_run(self.snapshot)))

    def action_editor(self) -> None:
        """Opens the place that the line under the cursor of the log is about, or the cause of the selected run."""
        if self.selected.log_view.has_focus:
            self.selected.log_view.action_editor()
        else:
            self.work(self._open_cause())

    async def _open_cause(self) -> None:
        from backprop_tui.tui.log.places import cause_places

        run = self.state.selected_run(self.snapshot)
        cause = None if run is None else cause_of(run.record)
        if run is None or not cause:
            self.tell("Select a failed run, or a line of a log that names a file", bad=True)
            return
        lines = await asyncio.to_thread(_last_lines, str(run.record.get("log_path") or ""))
        await self._open_first(cause_places(str(cause.get("advice") or ""), lines))

    @on(LogView.PlaceChosen)
    def _place_chosen(self, message: LogView.PlaceChosen) -> None:
        from backprop_tui.tui.log.places import places_near

        self.work(self._open_first(places_near(message.lines, message.index)))

    async def _open_first(self, places: Iterable[Place]) -> None:
        """Opens the first place whose file exists; relative paths are those of the run's working directory."""
        from backprop_tui.tui.editor import NoEditor, editor_command
        from backprop_tui.tui.log.places import first_existing
        from backprop_tui.tui.screens.running_commands import run_in_terminal

        run = self.state.selected_run(self.snapshot)
        directory = "/" if run is None else str(run.record.get("cwd") or "/")
        named = [*islice(places, _MAX_PLACES)]
        place = await asyncio.to_thread(first_existing, named, directory)
        if place is None:
            missing = f"{sanitize(named[0].path)} does not exist here" if named else "No file and line is named here"
            self.tell(missing, bad=True)
            return
        try:
            words = editor_command(os.environ, place.path, place.line)
        except NoEditor as error:
            self.tell(sanitize(str(error)), bad=True)
        else:
            run_in_terminal(self, words, program="an editor", hint="Set $EDITOR")


def _last_lines(path: str) -> Sequence[str]:
    """The end of a log; nothing if it cannot be read."""
    from backprop_tui.tui.log.escapes import plain_lines
    from backprop_tui.tui.log.file import LogFile

    log = LogFile(path)
    log.poll()
    try:
        return plain_lines(log.read(max(0, log.size - _TRACEBACK_BYTES), log.size)).split("\n")
    finally:
        log.close()
