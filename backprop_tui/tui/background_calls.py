"""Calls of the client in threads of their own, so that none of them keeps the dashboard or another one waiting."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from backprop_tui.domain.errors import BackpropError, InternalError, StorageFailed
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui import Mode

ResultT = TypeVar("ResultT")
READ_ONLY = "Opened with --read-only: nothing can be changed here"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """Whether something was done, and one line about it or why not; `run_ids` are the runs that were queued."""

    done: bool
    message: str
    run_ids: tuple[str, ...] = ()


class BackgroundCalls:
    """Runs reading and changing calls; a read-only dashboard refuses the changing ones."""

    def __init__(self, mode: Mode) -> None:
        self._is_read_only = mode is Mode.READ_ONLY
        self._unrecorded: set[threading.Event] = set()  # of the calls in progress

    def wait_until_recorded(self, seconds: float) -> None:
        """Waits until every call in progress has recorded its request or is done, but no longer than this."""
        end = time.monotonic() + seconds
        for event in [*self._unrecorded]:
            event.wait(max(0.0, end - time.monotonic()))

    async def _run(self, work: Callable[[], CommandResult], recorded: threading.Event | None = None) -> CommandResult:
        """Carries out a change, unless the dashboard is read-only."""
        if self._is_read_only:
            return CommandResult(done=False, message=READ_ONLY)
        try:
            return await self._in_thread(work, recorded)
        except BackpropError as error:
            return CommandResult(done=False, message=sanitize(str(error)))

    async def _in_thread(self, work: Callable[[], ResultT], recorded: threading.Event | None = None) -> ResultT:
        """Runs in a daemon thread, which neither a waiting call nor a hanging disk can keep the dashboard waiting for.

        `recorded` is set by the work when its request is recorded, and in any case at its end.

        Raises:
            BackpropError: any error of the work.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[ResultT] = loop.create_future()
        recorded_or_done = recorded or threading.Event()
        self._unrecorded.add(recorded_or_done)

        def run() -> None:
            settle: Callable[[], None]
            try:
                settle = partial(future.set_result, work())
            except Exception as error:  # noqa: BLE001 - raised again where the result is awaited
                settle = partial(future.set_exception, _as_backprop_error(error))
            recorded_or_done.set()
            self._unrecorded.discard(recorded_or_done)
            try:
                loop.call_soon_threadsafe(lambda: None if future.done() else settle())
            except RuntimeError:  # the dashboard was closed meanwhile
                return

        threading.Thread(target=run, daemon=True, name="command").start()
        return await future


def _as_backprop_error(error: Exception) -> BackpropError:
    if isinstance(error, BackpropError):
        return error
    if isinstance(error, OSError):
        where = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        return StorageFailed(f"{where}{error.strerror or error}")
    return InternalError(f"internal error: {type(error).__name__}: {error}")
