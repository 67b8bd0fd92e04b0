"""The screens and dialogs that the main screen opens, and what becomes of their answers."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import SuspendNotSupported
from textual.message import Message

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.objective import rank_records, shown_text
from backprop_tui.tui.absence import AbsenceDigest
from backprop_tui.tui.bridge import Bridge
from backprop_tui.tui.charts.source import ChartSource
from backprop_tui.tui.clipboard import copy_text
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.screens.panes_screen import PanesScreen
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.widgets.log import LogView

if TYPE_CHECKING:
    from backprop_tui.tui.log.places import Place
    from backprop_tui.tui.screens.run_actions import RunActions

_TRACEBACK_BYTES = 256 << 10  # of the end of a log, in which the traceback of a cause is looked for
_MAX_PLACES = 50  # that a log names, of which the first existing one is opened

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
    ) -> None:
        self._charts = charts
        super().__init__(snapshot, bridge, charts, glyphs=glyphs, selected_run=selected_run)
        self.commands = commands
        self._draft: Mapping[str, str] = {}  # of the New run dialog, kept from one opening to the next

    @cached_property
    def _run_actions(self) -> RunActions:
        from backprop_tui.tui.screens.run_actions import RunActions

        return RunActions(self.commands, self)

    def _target_runs(self) -> list[KnownRun]:
        self._follow_cursor()
        return self.state.target_runs(self.snapshot)

    def action_new(self) -> None:
        """Opens the New run dialog with the draft that was left."""
        self._open_new_run(self._draft, keep=True)

    @on(events.Paste)
    def _pasted(self, message: events.Paste) -> None:
        """Opens the New run dialog with a command line that was pasted, or a file that was dropped on the window."""
        from backprop_tui.tui.screens.draft import COMMAND, join_lines

        line = sanitize(join_lines(message.text)).strip()
        if line:
            self._open_new_run({COMMAND: line}, keep=True)

    def action_copy_as_new(self) -> None:
        from backprop_tui.tui.screens.draft import draft_like

        run = self.state.selected_run(self.snapshot)
        if run is None or run.run is None:
            self.tell("Only a waiting or active run can be copied as a new run", bad=True)
            return
        self._open_new_run(draft_like(run.run), keep=False)

    def action_example(self) -> None:
        from backprop_tui.tui.screens.draft import COMMAND

        if self.example is None:
            self.tell("The example is not installed", bad=True)
        else:
            self._open_new_run({COMMAND: shlex.quote(self.example)}, keep=False)

    def action_demo(self) -> None:
        self.post_message(self.DemoRequested())

    def _open_new_run(self, draft: Mapping[str, str], *, keep: bool) -> None:
        """Opens the New run dialog; `keep` keeps what was typed when it is closed."""
        from backprop_tui.tui.screens.draft import recent_drafts
        from backprop_tui.tui.screens.new_run import NewRun

        recent = recent_drafts(run.run for run in self.snapshot.runs if run.run is not None)
        dialog = NewRun(draft, self.commands, recent, glyphs=self.glyphs)

        def closed(run_ids: tuple[str, ...] | None) -> None:
            if keep:
                self._draft = {} if run_ids else dialog.draft
            if run_ids:
                self._awaited = run_ids[0]
                self.tell(f"Queued {run_ids[0] if len(run_ids) == 1 else counted(len(run_ids), 'run')}")
            self._bridge.look()

        self.app.push_screen(dialog, closed)

    def action_edit(self) -> None:
        from backprop_tui.tui.screens.edit_run import EditRun

        runs = self._target_runs()
        if not runs:
            self.tell("Nothing is selected", bad=True)
            return

        def closed(messages: tuple[str, ...] | None) -> None:
            for message in messages or ():
                self.tell(message)
                self._bridge.look()

        self.app.push_screen(EditRun(runs, self.commands, glyphs=self.glyphs), closed)

    def action_settings(self) -> None:
        from backprop_tui.tui.screens.settings import SettingsScreen

        self.app.push_screen(SettingsScreen(self.commands, glyphs=self.glyphs))

    def action_help(self) -> None:
        from backprop_tui.tui.screens.help import Help

        self.app.push_screen(Help(glyphs=self.glyphs))

    def action_digest(self) -> None:
        self._bridge.request_digest()  # the digest opens when the events are read

    def show_digest(self, digest: AbsenceDigest, *, opens: bool) -> None:
        """Opens the digest if `opens` and no other screen is open; otherwise says that there is one."""
        if not opens or self.app.screen is not self:
            ended = sum(recalled.run.status in ENDED for recalled in digest.runs)
            self.tell(f"{counted(ended, 'run')} ended while you were away. D shows them")
            return
        from backprop_tui.tui.panes.digest import RETRY, SHOW, Digest, digest_view

        view = digest_view(digest, self.snapshot)

        def closed(answer: str | None) -> None:
            if answer == SHOW and view.first_failure is not None:
                self.go_to(view.first_failure)
            elif answer == RETRY:
                runs = [run for run in map(self.snapshot.find, view.retry) if run is not None]
                self.work(self._run_actions.resume(runs))

        self.app.push_screen(Digest(view, glyphs=self.glyphs), closed)

    def action_compare(self) -> None:
        from backprop_tui.tui.charts.compare import MAX_RUNS
        from backprop_tui.tui.screens.compare import CompareScreen

        runs = self._target_runs()
        if len(runs) < 2:
            self.tell("Mark two runs or more with space, then compare them")
            return
        ids = [run.id for run in runs]
        if len(runs) > MAX_RUNS:
            ranking = rank_records(run.record for run in runs)
            self.tell(f"Showing {shown_text(ranking, MAX_RUNS, len(runs))}")
            ids = ranking.order[:MAX_RUNS]
        self.app.push_screen(CompareScreen(ids, lambda: self.snapshot, self._charts, glyphs=self.glyphs))

    def action_copy(self) -> None:
        """Copies the value under the cursor of the details, something of the selected run, or the ids of several."""
        value = self.selected.details.value_at_cursor
        if self.selected.details.has_focus and value is not None:
            name, text = value
            copy_text(self.app, text, name)
            return
        runs = self._target_runs()
        if len(runs) == 1:
            self.work(self._choose_and_copy(runs[0]))
        elif runs:
            copy_text(self.app, " ".join(run.id for run in runs), f"{len(runs)} ids")

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
        run = self.state.selected_run(self.snapshot)
        path = None if run is None else run.record.get("log_path")
        if path is None or not os.path.exists(path):
            self.tell("This run has no log", bad=True)
            return
        self._hand_over([*shlex.split(os.environ.get("PAGER") or "less +G"), path], "pager", "$PAGER")

    def _hand_over(self, words: Sequence[str], what: str, variable: str) -> None:
        """Runs another program in the terminal until it ends."""
        try:
            with self.app.suspend():
                subprocess.run(words, check=False)
        except SuspendNotSupported:
            self.tell(f"Cannot open {'an' if what[0] in 'aeiou' else 'a'} {what} in this terminal", bad=True)
        except OSError as error:
            problem = "was not found" if isinstance(error, FileNotFoundError) else f"does not start: {error.strerror}"
            self.tell(f"{sanitize(words[0])} {problem}. Set {variable}", bad=True)

    def action_editor(self) -> None:
        """Opens the place that the line under the cursor of the log is about, or the cause of the selected run."""
        if self.selected.log_view.has_focus:
            self.selected.log_view.action_editor()
        else:
            self.work(self._open_cause())

    async def _open_cause(self) -> None:
        from backprop_tui.tui.log.places import cause_places

        run = self.state.selected_run(self.snapshot)
        cause = None if run is None else run.record.get("cause")
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
        from backprop_tui.tui.log.places import NoEditor, editor_command, first_existing

        run = self.state.selected_run(self.snapshot)
        directory = "/" if run is None else str(run.record.get("cwd") or "/")
        named = [*islice(places, _MAX_PLACES)]
        place = await asyncio.to_thread(first_existing, named, directory)
        if place is None:
            missing = f"{sanitize(named[0].path)} does not exist here" if named else "No file and line is named here"
            self.tell(missing, bad=True)
            return
        try:
            self._hand_over(editor_command(os.environ, place), "editor", "$EDITOR")
        except NoEditor as error:
            self.tell(sanitize(str(error)), bad=True)


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
