"""Carries out changes to runs: calls of the client, each in its own thread, with one line about the result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.run_requests import RunRequests
from backprop_tui.tui.undo import UndoStep, edit_back, removal_step, setting_step

# The client's modules are loaded when they are first used, because the dashboard must start quickly.
if TYPE_CHECKING:
    from backprop_tui.client.control import AnyControlRequest
    from backprop_tui.domain.run import Run

NOTHING_TO_UNDO = "Nothing to undo: U takes back removals, edits, settings, pins, moves and holds made here"
UNDO_SECONDS = 600.0  # how long a removed run can come back; then its directory is deleted


class CommandRunner(RunRequests):
    """Does what the user asks for; each method returns when it is done, and does not keep the others waiting.

    A request that is up to a run's guardian is recorded at once, and carried out even if the dashboard is closed.
    """

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
        tags: Sequence[str] | None = None,
        max_run_seconds: float | None = None,
        **fields: Any,  # noqa: ANN401 - the other fields of EditRequest
    ) -> CommandResult:
        """Changes what is given; `max_run_seconds` may be infinite, which is no limit."""
        from backprop_tui.client.control import edit_requests, edit_summary
        from backprop_tui.domain.requests import EditRequest, TimeboxRequest

        timebox = None
        if max_run_seconds is not None:
            timebox = TimeboxRequest(max_run_seconds=None if max_run_seconds == float("inf") else max_run_seconds)
        unique_tags = None if tags is None else tuple(dict.fromkeys(tag for tag in tags if tag))
        given = EditRequest(tags=unique_tags, **fields)
        edit = None if given == EditRequest() else given
        summary = edit_summary(edit, timebox)
        before: list[Run] = []

        def requests() -> Sequence[AnyControlRequest]:
            before.extend(self._stored_runs(run_ids))
            return edit_requests(self._session, run_ids, edit, timebox)

        label = self._label(run_ids)
        undo = partial(edit_back, self._session, before, edit, timebox, label)
        return await self._edit(run_ids, requests, undo, f"{label} changed", summary)

    async def _edit(
        self,
        run_ids: Sequence[str],
        requests: Callable[[], Sequence[AnyControlRequest]],
        undo: Callable[[], str],
        label: str,
        done: str,
    ) -> CommandResult:
        """Makes requests that `undo` takes back."""
        with self._undo.changing():
            result = await self._control(run_ids, requests, done, shows_end=False, label=label)
            if result.done:
                self._undo.push(UndoStep(undo=undo))
            return result

    async def pin_baseline(self, run_id: str, group: str, *, pinned: bool, name: str) -> CommandResult:
        """Pins a run as the only baseline of its group, or unpins it; `name` is what is pinned: it, or its setting."""
        from backprop_tui.client.control import baseline_requests
        from backprop_tui.domain.requests import EditRequest

        before: list[Run] = []

        def requests() -> Sequence[AnyControlRequest]:
            made = baseline_requests(self._session, run_id if pinned else None, group)[::-1]
            before.extend(self._stored_runs([request.run_id for request in made]))
            return made

        done = f"{name} is {'now' if pinned else 'no longer'} the baseline"
        changed = EditRequest(baseline=pinned)
        label = sanitize(group)

        def undo() -> str:
            edit_back(self._session, before, changed, None, name)
            return f"{label}: the baseline is as before"

        return await self._edit([run_id], requests, undo, label, done)

    async def resume(self, run_ids: Sequence[str]) -> CommandResult:
        """Queues ended runs again, each from its newest intact checkpoint, with the options that it had."""
        label = self._label(run_ids)

        def work() -> CommandResult:
            from backprop_tui.client.resume import queue_again, read_resumable, resumption_text
            from backprop_tui.client.run_request import RunOptions

            queued: list[str] = []
            advice: list[str] = []
            try:
                for run_id in run_ids:
                    read_resumable(self._session, run_id)
                    resumption, _ = queue_again(self._session, run_id, RunOptions(), at_once=len(run_ids) == 1)
                    queued.append(run_id)
                    advice += [] if resumption.advice is None else [resumption.advice]
            finally:
                if queued:
                    self._session.wake_supervisor()
            how = resumption_text(resumption) if len(run_ids) == 1 else ""
            message = ". ".join([f"{label}: queued again{how}", *advice])
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

    async def move(self, run_ids: Sequence[str], by: int) -> CommandResult:
        """Moves queued runs of one queue by this many places, at most to its end, in the order that they have there."""
        label = self._label(run_ids)

        def work() -> CommandResult:
            from backprop_tui.client.queueing import move, queue_to_change, waiting_runs

            queue = queue_to_change(self._stored_runs(run_ids[:1])[0])
            before = [run.id for run in waiting_runs(self._session, queue)]
            places = {run_id: place for place, run_id in enumerate(before, start=1) if run_id in run_ids}
            targets = moved_places(list(places.values()), len(before), by)
            if targets and list(places.values()) == targets:
                return CommandResult(
                    done=False, message=f"{label}: {'first' if by < 0 else 'last'} in the queue already"
                )
            order = list(zip(places or run_ids, targets or [1], strict=False))[:: 1 if by < 0 else -1]
            moved = [move(self._session, run_id, place) for run_id, place in order]

            def undo() -> str:
                back = [move(self._session, run_id, places[run_id]) for run_id, _ in reversed(order)]
                return f"{label}: {back[0] if len(back) == 1 else 'back in their places'}"

            if places:
                self._undo.push(UndoStep(undo=undo))
            count = f"moved to {targets[0]}-{targets[-1]} of {len(before)}" if len(moved) > 1 else str(moved[0])
            return CommandResult(done=True, message=f"{label}: {count}")

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
        """Takes back the last removal, edit, setting, move or hold that was made here."""

        def work() -> CommandResult:
            step = self._undo.pop()
            if step is None:
                return CommandResult(done=False, message=NOTHING_TO_UNDO)
            return CommandResult(done=True, message=sanitize(f"Undone. {step.undo()}"))

        async with self._undoing:
            return await self._run(work)

    def forget_changes(self, seconds: float) -> None:
        """Deletes what was removed, for no longer than this; the rest is left to a later removal."""
        thread = threading.Thread(target=self._undo.forget_all, daemon=True, name="forget")
        thread.start()
        thread.join(seconds)

    async def release_job(self, run_id: str) -> CommandResult:
        """Lets the Slurm job of a run start that somebody holds."""

        def work() -> CommandResult:
            from backprop_tui.client.slurm_jobs import release_job
            from backprop_tui.store.run_directory import RunDirectory

            run = self._stored_runs([run_id])[0]
            directory = RunDirectory(self._session.home.run_folder(run_id))
            return CommandResult(done=True, message=f"{run.label}: job {release_job(run, directory)} released")

        return await self._run(work)

    async def set_config(self, key: str, value: str) -> CommandResult:
        """Writes a setting to the user's configuration file."""

        def work() -> CommandResult:
            from backprop_tui.config.files import read_text
            from backprop_tui.config.keys import KEYS
            from backprop_tui.config.write import set_key

            before = read_text(self.config_path)
            set_key(self.config_path, key, value)
            self._undo.push(setting_step(self._session, key, before))
            reach = " for later runs" if KEYS[key].is_settled_when_queued else ""
            stronger = self._session.valid_settings().stronger_than_file(key)
            if stronger:
                return CommandResult(
                    done=True, message=f"{key} = {value}: written to {self.config_path}, but {stronger}"
                )
            return CommandResult(done=True, message=f"written{reach}: {key} = {value}")

        with self._undo.changing():
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

    async def _control(
        self,
        run_ids: Sequence[str],
        requests: Callable[[], Sequence[AnyControlRequest]],
        done: str,
        *,
        shows_end: bool = True,
        label: str = "",
    ) -> CommandResult:
        """Makes requests to runs and waits until they are done; `shows_end` says how those ended that have.

        `label` is what the message begins with, if not with the names of the runs.
        """
        recorded = threading.Event()
        label = label or self._label(run_ids)

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


def moved_places(places: Sequence[int], length: int, by: int) -> list[int]:
    """The places in a queue after a move by so many: at its ends the runs move up behind each other."""
    count = len(places)
    return [min(max(place + by, 1 + index), length - count + 1 + index) for index, place in enumerate(places)]
