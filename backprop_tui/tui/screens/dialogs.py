"""The screens and dialogs that the main screen opens, and what becomes of their answers."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import SuspendNotSupported
from textual.message import Message

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.objective import rank_records, shown_text
from backprop_tui.tui.absence import AbsenceDigest
from backprop_tui.tui.bridge import Bridge
from backprop_tui.tui.charts.source import ChartSource
from backprop_tui.tui.commands import CommandRunner, RunSource
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.screens.panes_screen import PanesScreen
from backprop_tui.tui.snapshot import Snapshot

if TYPE_CHECKING:
    from backprop_tui.tui.screens.run_actions import RunActions

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

    async def action_copy_as_new(self) -> None:
        """Opens the form for a new run like the selected one."""
        run = self.state.selected_run(self.snapshot)
        if run is None:
            self.tell("Select a run first", bad=True)
        else:
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
        from backprop_tui.tui.screens.draft import COMMAND

        if self.example is None:
            self.tell("The example is not installed", bad=True)
        else:
            self._open_new_run({COMMAND: shlex.quote(self.example)})

    def action_demo(self) -> None:
        self.post_message(self.DemoRequested())

    def _open_new_run(self, draft: Mapping[str, str], source: RunSource | None = None, *, keep: bool = False) -> None:
        """Opens the form for a run, perhaps one of `source`; `keep` keeps what was typed when it is closed."""
        from backprop_tui.tui.screens.new_run import NewRun

        dialog = NewRun(draft, self.commands, source, glyphs=self.glyphs)
        to_edit = source is not None and source.to_edit

        def closed(result: tuple[str, ...] | None) -> None:
            if keep:
                self._draft = {} if result else dialog.draft
            if result and to_edit:
                self.tell(result[0])
            elif result:
                self._awaited = result[0]
                self.tell(f"Queued {result[0] if len(result) == 1 else counted(len(result), 'run')}")
            self._bridge.look()

        self.app.push_screen(dialog, closed)

    async def action_edit(self) -> None:
        """A run that waits for its first start can be changed as a whole, others in some fields."""
        runs = self._target_runs()
        if not runs:
            self.tell("Nothing is selected", bad=True)
        elif len(runs) == 1 and runs[0].status is Status.QUEUED and not runs[0].record["attempts"]:
            await self._open_run_of(runs[0], to_edit=True)
        else:
            self._edit_fields(runs)

    def _edit_fields(self, runs: Sequence[KnownRun]) -> None:
        from backprop_tui.tui.screens.edit_run import EditRun

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
            self._copy(*value)
            return
        runs = self._target_runs()
        if len(runs) == 1:
            self.work(self._choose_and_copy(runs[0]))
        elif runs:
            self._copy(f"{len(runs)} ids", " ".join(run.id for run in runs))

    async def _choose_and_copy(self, run: KnownRun) -> None:
        from backprop_tui.tui.screens.questions import CANCEL, copy_question, copyable

        answer = await self.ask(copy_question(run))
        if answer != CANCEL:
            self._copy(*copyable(run)[answer])

    def _copy(self, name: str, value: str) -> None:
        """Copies by OSC 52, which also works through SSH if the terminal allows it."""
        self.app.copy_to_clipboard(value)
        self.tell(f"Copied {name}")

    def action_pager(self) -> None:
        run = self.state.selected_run(self.snapshot)
        path = None if run is None else run.record.get("log_path")
        if path is None or not os.path.exists(path):
            self.tell("This run has no log", bad=True)
            return
        pager = shlex.split(os.environ.get("PAGER") or "less +G")
        try:
            with self.app.suspend():
                subprocess.run([*pager, path], check=False)
        except SuspendNotSupported:
            self.tell("Cannot open a pager in this terminal", bad=True)
        except FileNotFoundError:
            self.tell(f"$PAGER: {pager[0]} was not found", bad=True)
