"""Takes a run that is held out of the queue again, as if it had never been submitted: `--no-wait`."""

from __future__ import annotations

import os
import shutil
import time

from backprop_tui.cli.session import Session
from backprop_tui.domain.run import Queued, Run
from backprop_tui.store import index
from backprop_tui.store.files import storage
from backprop_tui.store.run_directory import RunDirectory

PATIENCE_SECONDS = 1.0  # so long a supervisor may look at it
LOOK_SECONDS = 0.005


def withdraw(session: Session, run_id: str, before: Run | None) -> bool:
    """Whether it could still be taken back; False where it was admitted this very moment.

    Args:
        session: This invocation.
        run_id: A run that this invocation queued.
        before: The record as it was before `resume`; None for a new run, of which nothing stays.

    Raises:
        StorageFailed: it could not be taken back.
    """
    directory = RunDirectory(session.home.run_folder(run_id))
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        lock = directory.try_lock()
        if lock is None:
            time.sleep(LOOK_SECONDS)
            continue
        with lock:
            run = directory.read()
            if not isinstance(run.state, Queued) or len(run.attempts) != (
                0 if before is None else len(before.attempts)
            ):
                return False
            if before is None:
                _remove(session, run_id)
            else:
                directory.write(before, durable=True)
                directory.append_event("withdrawn", "held, and it was not to wait", time=time.time())
                directory.delete_environment()
        session.supervisor.call()
        if before is None:
            index.update(session.home, {}, removed=[run_id])
        return True
    return False


def _remove(session: Session, run_id: str) -> None:
    """Renamed first, so that no reader meets half of it; a crash after that leaves rubbish that is swept later."""
    home = session.home
    aside = os.path.join(home.runs, f".tmp-{run_id}-{os.getpid()}")
    with storage(aside):
        os.rename(home.run_folder(run_id), aside)
        os.unlink(home.marker(run_id))
    shutil.rmtree(aside, ignore_errors=True)
