"""What the forms of the dashboard ask of the client: recent commands, dry runs, and runs to queue or to change."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from backprop_tui.client.session import ClientSession
from backprop_tui.domain.arguments import OptionSyntax
from backprop_tui.domain.errors import BackpropError, UsageError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.tui import Mode
from backprop_tui.tui.background_calls import BackgroundCalls, CommandResult
from backprop_tui.tui.start_verdict import StartVerdict, verdict_from
from backprop_tui.tui.undo import UndoStack, UndoStep

# The client's modules are loaded when they are first used, because the dashboard must start quickly.
if TYPE_CHECKING:
    from backprop_tui.client.run_request import RunRequest
    from backprop_tui.config.load import Settings
    from backprop_tui.domain.run import Run
    from backprop_tui.presentation.known_run import KnownRun

_RECENT_RUNS = 20


class CommandLine(Protocol):
    """What the dashboard uses of the command line; `main` passes it, since the two front ends do not import each other.

    Every method raises BackpropError when it cannot do what is asked.
    """

    def parse_run(self, words: Sequence[str]) -> RunRequest:
        """Parses the words that follow `run`."""

    def status(self, session: ClientSession) -> JsonObject:
        """Returns what `status --json` writes."""

    def doctor(self, session: ClientSession) -> Sequence[str]:
        """Checks the machine; returns the lines that `doctor` writes."""


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunSource:
    """The run that a form begins with: the words of `run` for it, and what its script says about its options.

    `advised` is the option that the cause of its failure advises to change, with its value then and the one to try.
    """

    run_id: str
    name: str
    words: tuple[str, ...]
    syntax: OptionSyntax
    advised: tuple[str, str, str] | None = None
    warning: str | None = None
    to_edit: bool = False


class RunRequests(BackgroundCalls):
    """Reads and makes requests for runs, each in words as they follow `run` on a command line."""

    def __init__(
        self, home: Home, config_path: str, command_line: CommandLine | None = None, mode: Mode = Mode.NORMAL
    ) -> None:
        self.config_path = config_path
        super().__init__(mode)
        environment = os.environ | {"BACKPROP_HOME": home.root, "BACKPROP_HOST": home.host}
        self._session = ClientSession(home=home, config_path=config_path, environment=environment)
        self._command_line = command_line
        self.find: Callable[[str], KnownRun | None] = lambda _: None  # among the runs that are shown
        self._undo = UndoStack()
        self._undoing = asyncio.Lock()

    def _label(self, run_ids: Sequence[str]) -> str:
        """What the screen calls these runs now; an action may change that."""
        if len(run_ids) != 1:
            return counted(len(run_ids), "run")
        run = self.find(run_ids[0])
        return sanitize(run_ids[0] if run is None else run.label)

    def _stored_runs(self, run_ids: Sequence[str]) -> list[Run]:
        from backprop_tui.client.resume import read_resumable

        return [read_resumable(self._session, run_id) for run_id in run_ids]

    async def run_source(self, run_id: str, *, to_edit: bool = False) -> RunSource:
        """What a form needs of a run: to make a new one like it, or `to_edit` it while it waits.

        Raises:
            BackpropError: its record cannot be read.
        """
        label = self._label([run_id])

        def work() -> RunSource:
            from backprop_tui.client.request_words import request_words
            from backprop_tui.client.rerun import advised_change, lost_variables, request_like, request_of, syntax_of
            from backprop_tui.client.resume import read_resumable
            from backprop_tui.client.run_request import IN_FORM

            run = read_resumable(self._session, run_id)
            request = (request_of if to_edit else request_like)(run, self._session.settings())
            advised, advice = (None, None) if to_edit else advised_change(run)
            notes = () if to_edit else (lost_variables(self._session, run, where=IN_FORM), advice)
            return RunSource(
                run_id=run_id,
                name=label,
                words=request_words(request),
                syntax=syntax_of(run),
                advised=advised,
                warning="; ".join(filter(None, notes)) or None,
                to_edit=to_edit,
            )

        return await self._in_thread(work)

    async def recent_commands(self) -> list[tuple[str, ...]]:
        """The words of recent commands, newest first: those that were queued, then those of the newest other runs."""

        def work() -> list[tuple[str, ...]]:
            from backprop_tui.client.request_words import recent_commands, request_words
            from backprop_tui.client.rerun import newest_requests

            runs = newest_requests(self._session, _RECENT_RUNS)
            return [*recent_commands(self._session.home), *map(request_words, runs)]

        return await self._in_thread(work)

    async def change_queued(self, run_id: str, words: Sequence[str]) -> CommandResult:
        """Gives a waiting run another command and other options; the words are those that follow `run`."""
        label = self._label([run_id])

        def work() -> CommandResult:
            from backprop_tui.client.rerun import change_queued, request_of

            before = request_of(self._stored_runs([run_id])[0], self._session.settings())

            def undo() -> str:
                change_queued(self._session, run_id, before)
                return f"{label}: as before the edit"

            change_queued(self._session, run_id, self._cli.parse_run(words))
            self._undo.push(UndoStep(undo=undo))
            return CommandResult(done=True, message=f"{label}: changed")

        with self._undo.changing():
            return await self._run(work)

    async def submit(self, words: Sequence[str]) -> CommandResult:
        """Queues new runs; the words are those that follow `run` on a command line."""

        def work() -> CommandResult:
            from backprop_tui.client.submit import submit

            run_ids = submit(self._session, self._cli.parse_run(words))
            return CommandResult(done=True, message=f"queued {' '.join(run_ids)}", run_ids=tuple(run_ids))

        return await self._run(work)

    async def dry_run(self, *lines: Sequence[str]) -> StartVerdict:
        """What the governor would decide now about the new runs of all these command lines together.

        Raises:
            BackpropError: the request is refused.
        """

        def work() -> StartVerdict:
            from backprop_tui.client.dry_run import preview_runs
            from backprop_tui.client.submit import plan

            plans = [plan(self._session, self._cli.parse_run(words)) for words in lines]
            return verdict_from(plans, preview_runs(self._session, [run for each in plans for run in each.runs]))

        return await self._in_thread(work)

    async def script_options(self, words: Sequence[str]) -> tuple[str, ...]:
        """The options that the script of a new run defines; none if it is not found. The words follow `run`."""

        def work() -> tuple[str, ...]:
            from backprop_tui.client.specification import run_directory_path
            from backprop_tui.client.training_source import script_options

            request = self._cli.parse_run(words)
            script = () if request.script is None else (request.script,)
            command = (*script, *(request.command or ()))
            return script_options(command, run_directory_path(request.cwd), self._session.environment)

        with suppress(BackpropError):
            return await self._in_thread(work)
        return ()

    async def settings(self) -> Settings:
        """Every setting with its value and origin, and what is wrong in the files."""
        from backprop_tui.tui.user_commands import user_commands

        return await self._in_thread(lambda: self._session.valid_settings(lambda settings: user_commands(settings)[1]))

    @property
    def _cli(self) -> CommandLine:
        if self._command_line is None:
            raise UsageError("this dashboard was opened without the command line")
        return self._command_line


async def submit_lines(requests: RunRequests, lines: Sequence[Sequence[str]]) -> tuple[CommandResult, int]:
    """Queues the runs of each line; returns how many lines are left, because one was refused, too."""
    queued: tuple[str, ...] = ()
    result = CommandResult(done=True, message="")
    for number, words in enumerate(lines):
        result = await requests.submit(words)
        if not result.done:
            message = f"queued {' '.join(queued)}; then: {result.message}" if queued else result.message
            return replace(result, message=message, run_ids=queued), len(lines) - number
        queued += result.run_ids
    return replace(result, run_ids=queued), 0
