"""The queue of a machine: its order, moving runs in it, holding and releasing it, taking a run out again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from backprop_tui.client.runs import split
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.formatting import counted, iso
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import LOCAL, Queued, Run
from backprop_tui.domain.run_changes import move_in_queue, sort_queue
from backprop_tui.domain.status import Status
from backprop_tui.processes.users import user_name
from backprop_tui.store import index
from backprop_tui.store.files import storage, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.store.hosts import may_write_here
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import RunView

POLL_SECONDS = 0.02
_SHOWN_JOBS = 5
WITHDRAW_SECONDS = 1.0  # how long a supervisor may hold the lock of a run that is to be taken back


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MovedRun:
    """A run that was moved; `queue_position` counts from 1 and is None if the run has started meanwhile."""

    run: Run
    queue_position: int | None
    queue_length: int
    priority_before: int

    def __str__(self) -> str:
        """`number 1 of 3, priority 2 instead of 0`; the priority only if it changed."""
        if self.queue_position is None:
            return "moved, and started"
        priority, before = self.run.priority, self.priority_before
        changed = "" if priority == before else f", priority {priority} instead of {before}"
        return f"number {self.queue_position} of {self.queue_length}{changed}"


Queue = tuple[str, str]  # by machine and launcher


def queues_of(unfinished: Iterable[RunView]) -> dict[Queue, list[Run]]:
    """The runs that wait, by queue and in their order, without those whose order Slurm decides."""
    queues: dict[Queue, list[Run]] = {}
    for run in sort_queue(view.run for view in unfinished if view.status is Status.QUEUED):
        if run.queue is not None:
            queues.setdefault(run.queue, []).append(run)
    return queues


def queue_positions(unfinished: Iterable[RunView]) -> dict[str, int]:
    """The position of each queued run by its id, 1 being the first."""
    return {run.id: number for queue in queues_of(unfinished).values() for number, run in enumerate(queue, start=1)}


def waiting_runs(session: ClientSession, queue: Queue | None = None) -> list[Run]:
    """The runs that wait now in a queue (None: the one of this machine for local runs), in their order."""
    return queues_of(split(session.home)[0]).get(queue or (session.home.host, LOCAL), [])


def waiting_here(session: ClientSession) -> list[Run]:
    """All runs of this machine that wait, also those that wait for Slurm."""
    runs = (view.run for view in split(session.home)[0] if view.status is Status.QUEUED)
    return [run for run in runs if run.current_host == session.home.host]


def still_starts(waiting: Iterable[Run]) -> str:
    """What a held queue does not keep back, and how to; empty without submitted jobs."""
    jobs = [run.submitted_job.id for run in waiting if run.submitted_job is not None and run.submitted_job.id]
    if not jobs:
        return ""
    shown = ",".join(jobs[:_SHOWN_JOBS]) + (",..." if len(jobs) > _SHOWN_JOBS else "")
    return f"{counted(len(jobs), 'job')} in Slurm's queue already still may start: scontrol hold {shown}"


def queue_to_change(run: Run) -> Queue:
    """The queue that a run stands in. Raises: UsageError, if it is Slurm's."""
    if run.queue is None:
        job = "" if run.job is None or run.job.id is None else run.job.id
        raise UsageError(
            f"run {run.id} waits in Slurm's queue, and Slurm decides the order there",
            f"to let others go first: scontrol hold {job}, later scontrol release {job}",
        )
    return run.queue


def edit_queued(session: ClientSession, run_id: str, change: Callable[[Run], Run]) -> Run:
    """Changes a queued run under its lock and returns it; UsageError if it is not queued, or no longer."""
    session.home.require_own()
    directory = RunDirectory(session.home.run_folder(run_id))
    while True:
        lock = directory.try_lock()
        if lock is not None:
            with lock:
                run = _read_queued(directory)
                if run.submitted_job is None and not may_write_here(session.home, run):
                    problem = f"run {run.id} cannot be moved: {run.current_host} may submit it at this moment"
                    raise UsageError(problem, f"its priority can change: backprop-tui edit {run.id} --priority N")
                changed = change(run)
                directory.write(changed, durable=False)
            session.wake_supervisor()
            return changed
        _read_queued(directory)  # a supervisor holds the lock for a moment
        time.sleep(POLL_SECONDS)


def _read_queued(directory: RunDirectory) -> Run:
    run = directory.read()
    if not isinstance(run.state, Queued):
        raise UsageError(f"run {run.id} is {run.status}, not waiting", "the queue: backprop-tui queue")
    return run


def move(session: ClientSession, run_id: str, position: int) -> MovedRun:
    """Moves a queued run to a position in its queue, 1 being the first; it takes the priority it needs there."""
    before: list[Run] = []

    def moved(run: Run) -> Run:
        before.append(run)
        return move_in_queue(run, waiting_runs(session, queue_to_change(run)), position)

    run = edit_queued(session, run_id, moved)
    run_ids = [other.id for other in waiting_runs(session, queue_to_change(run))]
    return MovedRun(
        run=run,
        queue_position=run_ids.index(run_id) + 1 if run_id in run_ids else None,
        queue_length=len(run_ids),
        priority_before=before[-1].priority,
    )


def is_queue_held(home: Home) -> bool:
    return os.path.exists(home.queue_held)


def hold_queue(session: ClientSession) -> bool:
    """Lets nothing new start on this machine; False if the queue was held already."""
    home = session.home
    home.require_own()
    if is_queue_held(home):
        return False
    home.prepare()
    content = f"{iso(time.time())} {user_name(os.getuid())}\n"
    write_atomically(home.queue_held, content.encode("utf-8", "surrogateescape"), durable=False)
    session.supervisor.ring()
    return True


def release_queue(session: ClientSession) -> bool:
    """Lets runs start again on this machine; False if the queue was not held."""
    home = session.home
    if not is_queue_held(home):
        return False
    home.require_own()
    path = home.queue_held
    with storage(path):
        os.unlink(path)
    session.supervisor.ring()
    session.ensure_supervisor(split(home)[0])
    return True


def withdraw(session: ClientSession, run_id: str, before: Run | None) -> bool:
    """Takes a run that is held out of the queue as if it had never been submitted; False if it was just admitted.

    `before` is the record before `resume` queued it; None for a new run, of which nothing is kept.
    """
    import shutil  # slow to import, and `list` needs this module too

    from backprop_tui.client.remove import put_aside

    directory = RunDirectory(session.home.run_folder(run_id))
    attempts = 0 if before is None else len(before.attempts)
    end = time.monotonic() + WITHDRAW_SECONDS
    while time.monotonic() < end:
        lock = directory.try_lock()
        if lock is None:
            time.sleep(POLL_SECONDS / 4)
            continue
        with lock:
            run = directory.read()
            if not isinstance(run.state, Queued) or len(run.attempts) != attempts:
                return False
            if before is None:
                shutil.rmtree(put_aside(session.home, run_id), ignore_errors=True)
            else:
                directory.write(before, durable=True)
                directory.append_event("withdrawn", "held, and it was not to wait", time=time.time())
                directory.delete_environment(before)
        session.wake_supervisor()
        if before is None:
            index.update(session.home, {}, removed=[run_id])
        return True
    return False
