"""Carries out changes to runs: calls of the client, each in its own thread, with one line about the result."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
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
from backprop_tui.tui.undo import UndoStack, UndoStep, edit_back, removal_step

# The client's modules are loaded when they are first used, because the dashboard must start quickly.
if TYPE_CHECKING:
    from backprop_tui.client.control import AnyControlRequest
    from backprop_tui.client.run_request import RunRequest
    from backprop_tui.config.load import Settings
    from backprop_tui.domain.run import Run
    from backprop_tui.domain.thresholds import Thresholds
    from backprop_tui.presentation.known_run import KnownRun

UNDO_SECONDS = 600.0  # how long a removed run can come back; then its directory is deleted
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


class CommandRunner(BackgroundCalls):
    """Does what the user asks for; each method returns when it is done, and does not keep the others waiting.

    A request that is up to a run's guardian is recorded at once, and carried out even if the dashboard is closed.
    """

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

    async def stop(self, run_ids: Sequence[str], *, now: bool = False, after_checkpoint: bool = False) -> CommandResult:
        """Stops runs and returns when they have ended; `now` kills them without time to save."""
        from backprop_tui.client.control import stop_requests

        return await self._control(
            run_ids,
            lambda: stop_requests(self._session, run_ids, now=now, after_checkpoint=after_checkpoint),
            "killed" if now else "stopped",
        )

    async def pause(self, run_ids: Sequence[str]) -> CommandResult:
        from backprop_tui.client.control import pause_requests

        return await self._control(run_ids, lambda: pause_requests(self._session, run_ids), "paused")

    async def continue_(self, run_ids: Sequence[str]) -> CommandResult:
        from backprop_tui.client.control import continue_requests

        return await self._control(run_ids, lambda: continue_requests(self._session, run_ids), "continued")

    async def edit(
        self,
        run_ids: Sequence[str],
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        note: str | None = None,
        priority: int | None = None,
        max_run_seconds: float | None = None,
        thresholds: Thresholds | None = None,
    ) -> CommandResult:
        """Changes what is given; `max_run_seconds` may be infinite, which is no limit."""
        from backprop_tui.client.control import edit_requests, edit_summary
        from backprop_tui.domain.requests import EditRequest, TimeboxRequest

        timebox = None
        if max_run_seconds is not None:
            timebox = TimeboxRequest(max_run_seconds=None if max_run_seconds == float("inf") else max_run_seconds)
        unique_tags = None if tags is None else tuple(dict.fromkeys(tag for tag in tags if tag))
        given = EditRequest(name=name, tags=unique_tags, note=note, priority=priority, thresholds=thresholds)
        edit = None if given == EditRequest() else given
        summary = edit_summary(edit, timebox)
        before: list[Run] = []

        def requests() -> Sequence[AnyControlRequest]:
            before.extend(self._stored_runs(run_ids))
            return edit_requests(self._session, run_ids, edit, timebox)

        label = self._label(run_ids)
        undo = partial(edit_back, self._session, before, edit, timebox, label)
        return await self._edit(run_ids, requests, undo, summary)

    async def _edit(
        self,
        run_ids: Sequence[str],
        requests: Callable[[], Sequence[AnyControlRequest]],
        undo: Callable[[], str],
        done: str,
    ) -> CommandResult:
        """Makes requests that `undo` takes back."""
        with self._undo.changing():
            result = await self._control(run_ids, requests, done, shows_end=False)
            if result.done:
                self._undo.push(UndoStep(undo=undo))
            return result

    def _label(self, run_ids: Sequence[str]) -> str:
        """What the screen calls these runs now; an action may change that."""
        if len(run_ids) != 1:
            return counted(len(run_ids), "run")
        run = self.find(run_ids[0])
        return sanitize(run_ids[0] if run is None else run.label)

    def _stored_runs(self, run_ids: Sequence[str]) -> list[Run]:
        from backprop_tui.client.resume import read_resumable

        return [read_resumable(self._session, run_id) for run_id in run_ids]

    async def pin_baseline(self, run_id: str, group: str, *, pinned: bool) -> CommandResult:
        """Pins a run as the only baseline of its group, or unpins it."""
        from backprop_tui.client.control import baseline_requests
        from backprop_tui.domain.requests import EditRequest

        before: list[Run] = []

        def requests() -> Sequence[AnyControlRequest]:
            made = baseline_requests(self._session, run_id if pinned else None, group)[::-1]
            before.extend(self._stored_runs([request.run_id for request in made]))
            return made

        done = f"the baseline of {group}" if pinned else "unpinned"
        changed = EditRequest(baseline=pinned)
        label = self._label([run_id])
        undo = partial(edit_back, self._session, before, changed, None, label)
        return await self._edit([run_id], requests, undo, done)

    async def resume(self, run_ids: Sequence[str]) -> CommandResult:
        """Queues ended runs again, each from its newest intact checkpoint, with the options that it had."""
        label = self._label(run_ids)

        def work() -> CommandResult:
            from backprop_tui.client.resume import queue_again, read_resumable
            from backprop_tui.client.run_request import RunOptions

            queued: list[str] = []
            advice: list[str] = []
            try:
                for run_id in run_ids:
                    read_resumable(self._session, run_id)
                    resumption, _ = queue_again(self._session, run_id, RunOptions())
                    queued.append(run_id)
                    advice += [] if resumption.advice is None else [resumption.advice]
            finally:
                if queued:
                    self._session.wake_supervisor()
            message = ". ".join([f"{label}: queued again", *advice])
            return CommandResult(done=True, message=message, run_ids=tuple(queued))

        return await self._run(work)

    async def run_again(self, run_ids: Sequence[str]) -> CommandResult:
        """Queues a new run like each of these, with the same command; their results stay."""
        label = self._label(run_ids)

        def work() -> CommandResult:
            from backprop_tui.client.rerun import request_like, with_secrets_of
            from backprop_tui.client.submit import submit

            session = self._session
            runs = self._stored_runs(run_ids)
            requests = [with_secrets_of(session, run.id, request_like(run, session.settings())) for run in runs]
            queued = [run_id for request in requests for run_id in submit(self._session, request)]
            message = f"{label}: queued again as {counted(len(queued), 'new run')}"
            return CommandResult(done=True, message=message, run_ids=tuple(queued))

        return await self._run(work)

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

            run = read_resumable(self._session, run_id)
            request = (request_of if to_edit else request_like)(run, self._session.settings())
            advised, advice = (None, None) if to_edit else advised_change(run)
            notes = () if to_edit else (lost_variables(self._session, run), advice)
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
            from backprop_tui.client.rerun import change_queued

            change_queued(self._session, run_id, self._cli.parse_run(words))
            return CommandResult(done=True, message=f"{label}: changed")

        return await self._run(work)

    async def submit(self, words: Sequence[str]) -> CommandResult:
        """Queues new runs; the words are those that follow `run` on a command line."""

        def work() -> CommandResult:
            from backprop_tui.client.submit import submit

            run_ids = submit(self._session, self._cli.parse_run(words))
            return CommandResult(done=True, message=f"queued {' '.join(run_ids)}", run_ids=tuple(run_ids))

        return await self._run(work)

    async def dry_run(self, words: Sequence[str]) -> StartVerdict:
        """What the governor would decide now about these new runs.

        Raises:
            BackpropError: the request is refused.
        """

        def work() -> StartVerdict:
            from backprop_tui.client.dry_run import preview_runs
            from backprop_tui.client.submit import plan

            planned = plan(self._session, self._cli.parse_run(words))
            return verdict_from(planned, preview_runs(self._session, planned.runs))

        return await self._in_thread(work)

    async def move(self, run_id: str, by: int) -> CommandResult:
        """Moves a queued run by this many places, at most to the first or last."""
        label = self._label([run_id])

        def work() -> CommandResult:
            from backprop_tui.client.queueing import move, queue_to_change, waiting_runs

            queue = queue_to_change(self._stored_runs([run_id])[0])
            before = [run.id for run in waiting_runs(self._session, queue)]
            place = before.index(run_id) + 1 if run_id in before else 1
            moved = move(self._session, run_id, max(1, place + by))
            if run_id in before and place != moved.queue_position:
                self._undo.push(UndoStep(undo=lambda: f"{label}: {move(self._session, run_id, place)}"))
            return CommandResult(done=True, message=f"{label}: {moved}")

        with self._undo.changing():
            return await self._run(work)

    async def set_queue(self, *, held: bool) -> CommandResult:
        """Holds the queue of this machine, or releases it."""

        def work() -> CommandResult:
            changed, message = self._switch_queue(held=held)
            if changed:
                self._undo.push(UndoStep(undo=lambda: self._switch_queue(held=not held)[1]))
            return CommandResult(done=True, message=message)

        with self._undo.changing():
            return await self._run(work)

    def _switch_queue(self, *, held: bool) -> tuple[bool, str]:
        """Whether that changed the queue, and a line about it."""
        from backprop_tui.client.queueing import hold_queue, release_queue, still_starts, waiting_here

        if held:
            changed = hold_queue(self._session)
            state = "Queue held" if changed else "The queue was held already"
        else:
            changed = release_queue(self._session)
            state = "Queue released" if changed else "The queue was not held"
        waiting = waiting_here(self._session)
        count = f"{counted(len(waiting), 'run') if waiting else 'Nothing is'} waiting"
        clauses = filter(None, (count, still_starts(waiting) if held else ""))
        return changed, f"{state}. {'; '.join(clauses)}"

    async def remove(self, run_ids: Sequence[str]) -> CommandResult:
        """Removes ended runs with their logs and metrics, which are deleted later, so that `undo` can bring them back.

        A directory that is set aside counts as removed for every other process.
        """
        label = self._label(run_ids)

        def work() -> CommandResult:
            from backprop_tui.client.remove import delete, leftovers, removable_runs, set_aside

            runs = removable_runs(self._session, run_ids)
            step = removal_step(self._session, set_aside(self._session, runs), label)
            self._undo.push(step)
            expiry = threading.Timer(UNDO_SECONDS, self._undo.forget, (step,))
            expiry.daemon = True
            expiry.start()
            with suppress(BackpropError, OSError):
                delete(leftovers(self._session.home, time.time()))  # of processes that were killed
            pronoun = "it" if len(runs) == 1 else "them"
            return CommandResult(done=True, message=f"{label}: removed. U brings {pronoun} back")

        with self._undo.changing():
            return await self._run(work)

    async def undo(self) -> CommandResult:
        """Takes back the last removal, edit, move or hold that was made here."""

        def work() -> CommandResult:
            step = self._undo.pop()
            if step is None:
                return CommandResult(done=False, message="Nothing to undo")
            return CommandResult(done=True, message=sanitize(f"Undone. {step.undo()}"))

        async with self._undoing:
            return await self._run(work)

    def forget_changes(self, seconds: float) -> None:
        """Deletes what was removed, for no longer than this; the rest is left to a later removal."""
        thread = threading.Thread(target=self._undo.forget_all, daemon=True, name="forget")
        thread.start()
        thread.join(seconds)

    async def settings(self) -> Settings:
        """Every setting with its value and origin.

        Raises:
            BackpropError: a setting is wrong.
        """
        return await self._in_thread(self._session.settings)

    async def release_job(self, run_id: str) -> CommandResult:
        """Lets the Slurm job of a run start that somebody holds."""

        def work() -> CommandResult:
            from backprop_tui.client.slurm_jobs import release_job
            from backprop_tui.store.run_directory import RunDirectory

            run = self._stored_runs([run_id])[0]
            directory = RunDirectory(self._session.home.run_folder(run_id))
            return CommandResult(done=True, message=f"{run.name}: job {release_job(run, directory)} released")

        return await self._run(work)

    async def set_config(self, key: str, value: str) -> CommandResult:
        """Writes a setting to the user's configuration file."""

        def work() -> CommandResult:
            from backprop_tui.config.keys import KEYS
            from backprop_tui.config.write import set_key

            set_key(self.config_path, key, value)
            kept = "; queued runs keep theirs" if KEYS[key].is_settled_when_queued else ""
            return CommandResult(done=True, message=f"{key} = {value}: written{kept}")

        return await self._run(work)

    async def status(self) -> JsonObject:
        """The object that `status --json` writes.

        Raises:
            BackpropError: the state or a setting cannot be read.
        """
        return await self._in_thread(lambda: self._cli.status(self._session))

    async def doctor(self) -> Sequence[str]:
        """Checks the machine and returns lines about it.

        Raises:
            BackpropError: the state or a setting cannot be read.
        """
        return await self._in_thread(lambda: self._cli.doctor(self._session))

    @property
    def _cli(self) -> CommandLine:
        if self._command_line is None:
            raise UsageError("this dashboard was opened without the command line")
        return self._command_line

    async def _control(
        self,
        run_ids: Sequence[str],
        requests: Callable[[], Sequence[AnyControlRequest]],
        done: str,
        *,
        shows_end: bool = True,
    ) -> CommandResult:
        """Makes requests to runs and waits until they are done; `shows_end` says how those ended that have."""
        recorded = threading.Event()
        label = self._label(run_ids)

        def work() -> CommandResult:
            from backprop_tui.client.control import ControlOutcome, Refusal, wait_for_all
            from backprop_tui.domain.status import ENDED

            outcomes = wait_for_all(requests(), on_recorded=recorded.set)
            for outcome in outcomes:
                if isinstance(outcome, Refusal):
                    return CommandResult(done=False, message=sanitize(str(outcome.error)))
            by_run = {outcome.run.id: outcome for outcome in outcomes if isinstance(outcome, ControlOutcome)}
            message = done
            if len(by_run) == 1 and shows_end:
                (outcome,) = by_run.values()
                if outcome.run.status in ENDED:
                    message = f"had ended already: {outcome.run.status}" if outcome.had_ended else outcome.run.status
            return CommandResult(done=True, message=sanitize(f"{label}: {message}"))

        return await self._run(work, recorded)
