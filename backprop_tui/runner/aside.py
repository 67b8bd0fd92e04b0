"""Work that may block, done in a thread beside the guardian: a dead file system must not hold up a timebox."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from backprop_tui.processes.detached_log import note_exception

CLOSEST_SECONDS = 1.0
WIDEST_SECONDS = 60.0
SHARE_OF_A_CPU = 0.001
NO_THREAD_SECONDS = 10.0
STACK_BYTES = 1 << 20  # what recurses reaches Python's own limit first; what is not used takes no memory

ResultT = TypeVar("ResultT")


def paced(spent: float, *, closest_seconds: float = CLOSEST_SECONDS) -> float:
    """So long a pause that work of this many CPU seconds costs a thousandth of a CPU, within bounds."""
    return min(max(closest_seconds, spent / SHARE_OF_A_CPU), WIDEST_SECONDS)


class Aside(Generic[ResultT]):
    """One piece of work that is done again and again, as often as its cost allows; never two at a time.

    The thread is a daemon, lives for one piece of work and keeps nothing that the guardian needs: where it hangs, the
    guardian goes on, and ends, without it.
    """

    __slots__ = ("_began", "_done", "_due", "_pause_seconds", "_result", "_spent", "_thread", "_work")

    def __init__(self, work: Callable[[float], ResultT], pause_seconds: Callable[[float], float] | None = None) -> None:
        """`work` is given the monotonic time at which it begins.

        `pause_seconds` is asked after each piece how long the next one waits, given the CPU seconds that one costs.
        """
        self._work = work
        self._pause_seconds = pause_seconds or paced
        self._spent: float | None = None
        self._result: ResultT | None = None
        self._thread: threading.Thread | None = None
        self._due = self._began = 0.0
        self._done = threading.Event()

    def result(self, now: float) -> ResultT | None:
        """What was found since the last call, None where nothing is ready; begins the next piece when it is due."""
        if self._thread is not None and not self._done.is_set():
            return None
        found, self._result = self._result, None
        if now >= self._due:
            self._begin(now)
        return found

    def last(self, seconds: float) -> list[ResultT]:
        """Does it once more at the end and waits so long for it at most; what an earlier piece found comes first.

        A piece that hangs for so long already is not waited for.
        """
        found = []
        is_working = self._thread is not None and not self._done.is_set()
        end = (self._began if is_working else time.monotonic()) + seconds
        for begins in (False, True):
            if begins:
                self._begin(time.monotonic())
            elif self._thread is None:
                continue
            if not self._done.wait(max(0.0, end - time.monotonic())):
                break
            if self._result is not None:
                found.append(self._result)
                self._result = None
        return found

    def _begin(self, now: float) -> None:
        self._done.clear()
        self._began = now
        self._thread = threading.Thread(target=self._do, args=(now,), daemon=True)
        before = threading.stack_size(STACK_BYTES)
        try:
            self._thread.start()
        except RuntimeError as error:
            # The user may have no process more: what is looked at beside is not worth the guardian's life.
            note_exception(error)
            self._due = now + NO_THREAD_SECONDS
            self._done.set()
        finally:
            threading.stack_size(before)

    def _do(self, now: float) -> None:
        began = time.thread_time()
        try:
            self._result = self._work(now)
        except Exception as error:  # noqa: BLE001 - boundary: nothing it does may cost the script its guardian
            note_exception(error)
        spent = time.thread_time() - began
        # What a piece does once, such as loading a module, says nothing of the next.
        usual = spent if self._spent is None else min(spent, self._spent)
        self._spent = spent
        self._due = time.monotonic() + self._pause_seconds(usual)
        self._done.set()
