"""What `U` takes back: the last removals, edits, limits, pins, settings, moves in the queue and holds, newest first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from backprop_tui.client.session import ClientSession
from backprop_tui.domain.errors import BackpropError, UsageError
from backprop_tui.domain.formatting import counted, duration
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.slurm import SlurmOptions, given_options
from backprop_tui.domain.status import ACTIVE

# The client's modules are loaded when they are first used, because the dashboard must start quickly.
if TYPE_CHECKING:
    from backprop_tui.client.control import AnyControlRequest
    from backprop_tui.client.remove import SetAside
    from backprop_tui.domain.requests import EditRequest, TimeboxRequest
    from backprop_tui.domain.run import Run

MAX_STEPS = 50
CHANGE_SECONDS = 5.0


def _nothing() -> None:
    """Forgetting most changes needs no work."""


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class UndoStep:
    """A change that was made.

    `undo` takes it back and returns what was done, such as `train: name old`; it raises BackpropError if it cannot.
    `forget` is called instead when the change can no longer be undone. Each is called at most once, by one thread.
    """

    undo: Callable[[], str]
    forget: Callable[[], None] = _nothing


class UndoStack:
    """The changes that can be undone. Used by several threads: the one that takes a step out of it owns that step."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._steps: list[UndoStep] = []
        self._changes = 0  # in progress

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Makes `pop` wait for the step of a change that has begun."""
        with self._lock:
            self._changes += 1
        try:
            yield
        finally:
            with self._lock:
                self._changes -= 1
                self._lock.notify_all()

    def push(self, step: UndoStep) -> None:
        """Adds a step; the oldest of too many is forgotten."""
        with self._lock:
            self._steps.append(step)
            oldest = self._steps.pop(0) if len(self._steps) > MAX_STEPS else None
        if oldest is not None:
            oldest.forget()

    def pop(self) -> UndoStep | None:
        """Takes out the newest step; None if there is none. A change that hangs is not waited for."""
        with self._lock:
            self._lock.wait_for(lambda: not self._changes, CHANGE_SECONDS)
            return self._steps.pop() if self._steps else None

    def forget(self, step: UndoStep) -> None:
        """Forgets a step, unless it was taken out before."""
        with self._lock:
            is_there = any(other is step for other in self._steps)
            self._steps = [other for other in self._steps if other is not step]
        if is_there:
            step.forget()

    def forget_all(self) -> None:
        while (step := self.pop()) is not None:
            step.forget()


def edit_back(
    session: ClientSession,
    before: Sequence[Run],
    edit: EditRequest | None,
    timebox: TimeboxRequest | None,
    label: str,
) -> str:
    """Gives the fields that an edit changed, and the timebox if it did, the values that they had before.

    `label` is what a run is called that keeps its name.
    """
    from backprop_tui.client.control import Refusal, edit_requests, edit_summary, wait_for_all

    requests: list[AnyControlRequest] = []
    for run in before:
        former_edit = None if edit is None else _former_values(run, edit)
        former_timebox = None if timebox is None else _former_timebox(session, run)
        name = label if edit is None or edit.name is None else edit.name
        summary = f"{name}: {edit_summary(former_edit, former_timebox)}"
        requests += edit_requests(session, [run.id], former_edit, former_timebox)
    for outcome in wait_for_all(requests):
        if isinstance(outcome, Refusal):
            raise outcome.error
    return f"{counted(len(before), 'run')}: as before the edit" if len(before) > 1 else summary


def _former_values(run: Run, edit: EditRequest) -> EditRequest:
    """The edit that gives a run the values it has now of the fields that `edit` changes."""
    from backprop_tui.domain.requests import EditRequest
    from backprop_tui.domain.thresholds import former_thresholds

    return EditRequest(
        name=None if edit.name is None else run.name,
        tags=None if edit.tags is None else run.tags,
        note=None if edit.note is None else run.note or "",
        priority=None if edit.priority is None else run.priority,
        baseline=None if edit.baseline is None else run.baseline,
        thresholds=None if edit.thresholds is None else former_thresholds(edit.thresholds, run.spec.limits),
        slurm=None if edit.slurm is None else _former_options(run, edit.slurm),
    )


def _former_options(run: Run, given: SlurmOptions) -> SlurmOptions:
    """What its job asked for instead of what was given. Raises UsageError if that was left to the site."""
    former = {name: getattr(run.spec.slurm, name) for name in given_options(given)}
    left_to_site = [name for name, value in former.items() if value is None]
    if left_to_site:
        raise UsageError(
            f"{run.label}: had no {left_to_site[0]} of its own, which a job cannot go back to; e sets another"
        )
    return SlurmOptions(**former)


def _former_timebox(session: ClientSession, run: Run) -> TimeboxRequest:
    """The request for the timebox that a run has now.

    Raises:
        UsageError: the run has run for longer meanwhile, so that this would end it.
    """
    from backprop_tui.domain.requests import TimeboxRequest
    from backprop_tui.presentation.known_run import Moment, running_seconds
    from backprop_tui.store.run_directory import RunDirectory

    directory, limit = RunDirectory(session.home.run_folder(run.id)), run.spec.max_run_seconds
    live = directory.read_live() if directory.read().status in ACTIVE else None
    if limit is not None and live is not None and running_seconds(live, Moment.now()) >= limit:
        raise UsageError(f"{run.label} has run for longer than {duration(limit)} by now; t changes its limit")
    return TimeboxRequest(max_run_seconds=limit)


def removal_step(session: ClientSession, removed: Sequence[SetAside], label: str) -> UndoStep:
    """Brings removed runs back, or deletes their directories; what cannot be deleted is left to a later removal."""
    from backprop_tui.client.remove import delete, restore

    def undo() -> str:
        for run in removed:
            restore(session, run)
        return f"{label} restored"

    def forget() -> None:
        with suppress(BackpropError, OSError):
            delete(run.path for run in removed if run.path is not None)

    return UndoStep(undo=undo, forget=forget)


def setting_step(session: ClientSession, key: str, before: str | None) -> UndoStep:
    """Gives the configuration file the text that it had before a setting was written; None: it was missing."""
    from backprop_tui.config.files import read_text
    from backprop_tui.config.kinds import as_text
    from backprop_tui.config.write import restore_text

    written = read_text(session.config_path)

    def undo() -> str:
        restore_text(session.config_path, before or "", written)
        settings = session.valid_settings()
        stronger = settings.stronger_than_file(key)
        if stronger:
            return f"{key}: {session.config_path} is as before, but {stronger}"
        return f"{key} = {as_text(settings[key])}"

    return UndoStep(undo=undo)
