"""Calls that may hang (a GPU driver, a dead file system), made in daemon threads so that the caller need not wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.processes.detached_log import note_exception

MIN_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 60.0
CPU_SHARE = 0.001
NO_THREAD_SECONDS = 10.0  # until it is tried again when no thread can be started
STACK_BYTES = 1 << 20  # a recursion reaches Python's own limit first; unused stack takes no memory

ResultT = TypeVar("ResultT")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """The call has not returned yet, `seconds` after it was started."""

    seconds: float


@lazy_dataclass(frozen=True, slots=True)
class _Raised:
    error: BaseException


class HangingCall(Generic[ResultT]):
    """A call that is repeated on request, one at a time: while it hangs no other starts, so threads never pile up."""

    def __init__(self, call: Callable[[], ResultT], *, name: str) -> None:
        """`name` is the thread's, for debugging a process that hangs."""
        self._call = call
        self._name = name
        self._requests: SimpleQueue[bool] = SimpleQueue()
        self._results: SimpleQueue[ResultT | _Raised] = SimpleQueue()
        self._started_at: float | None = None
        self._has_thread = False

    @property
    def pending(self) -> bool:
        """Whether a call was started whose result has not been taken."""
        return self._started_at is not None

    def start(self) -> None:
        """Starts the call, unless the previous one is still pending."""
        if self.pending:
            return
        if not self._has_thread:
            self._has_thread = True
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()
        self._started_at = time.monotonic()
        self._requests.put(True)

    def take(self, seconds: float) -> ResultT | Pending:
        """Waits up to `seconds` for the result of the started call; raises what the call raised."""
        if self._started_at is None:
            raise RuntimeError(f"{self._name}: take() before start()")
        try:
            result = self._results.get(timeout=max(0.0, seconds))
        except Empty:
            return Pending(seconds=time.monotonic() - self._started_at)
        self._started_at = None
        if isinstance(result, _Raised):
            raise result.error
        return result

    def end(self) -> None:
        """Ends the thread once the call has returned; nothing may be started afterwards."""
        self._requests.put(False)

    def _serve(self) -> None:
        while self._requests.get():
            try:
                result: ResultT | _Raised = self._call()
            except BaseException as error:  # noqa: BLE001 raised again by take()
                result = _Raised(error)
            self._results.put(result)


def call_within(seconds: float, call: Callable[[], ResultT]) -> ResultT | None:
    """Returns the result of the call; None if it takes longer or fails, which is logged."""
    return next(iter(BackgroundTask(lambda _now: call()).finish(seconds)), None)


def pause_after(cpu_seconds: float, *, min_seconds: float = MIN_PAUSE_SECONDS) -> float:
    """Returns the pause after which work of this cost uses a thousandth of a CPU, within bounds."""
    return min(max(min_seconds, cpu_seconds / CPU_SHARE), MAX_PAUSE_SECONDS)


class BackgroundTask(Generic[ResultT]):
    """A task that is repeated as often as its cost allows, never two at a time; errors are logged.

    Each repetition has a daemon thread of its own and holds nothing the caller needs: when it hangs, the caller
    continues, and ends, without it.
    """

    __slots__ = ("_cpu_seconds", "_done", "_due", "_ended_at", "_pause", "_result", "_started_at", "_task", "_thread")

    def __init__(self, task: Callable[[float], ResultT], pause: Callable[[float], float] = pause_after) -> None:
        """`task` is given the monotonic time it starts at; `pause` maps its usual CPU seconds to the next pause."""
        self._task = task
        self._pause = pause
        self._cpu_seconds: float | None = None
        self._result: ResultT | None = None
        self._thread: threading.Thread | None = None
        self._due = self._started_at = self._ended_at = 0.0
        self._done = threading.Event()

    def result(self, now: float) -> ResultT | None:
        """Returns the result since the last call, None if there is none; starts the next repetition when it is due."""
        if self._thread is not None and not self._done.is_set():
            return None
        result, self._result = self._result, None
        if now >= self._due:
            self._start(now)
        return result

    def hasten(self, pause_seconds: float) -> None:
        """Makes the next repetition due at most this long after the last one."""
        self._due = min(self._due, self._ended_at + pause_seconds)

    def finish(self, seconds: float) -> list[ResultT]:
        """Runs the task once more, within `seconds`; returns its result after that of an earlier repetition, if any.

        A repetition that has been hanging for that long already is not waited for.
        """
        results = []
        is_working = self._thread is not None and not self._done.is_set()
        end = (self._started_at if is_working else time.monotonic()) + seconds
        for is_last in (False, True):
            if is_last:
                self._start(time.monotonic())
            elif self._thread is None:
                continue
            if not self._done.wait(max(0.0, end - time.monotonic())):
                break
            if self._result is not None:
                results.append(self._result)
                self._result = None
        return results

    def _start(self, now: float) -> None:
        self._done.clear()
        self._started_at = now
        self._thread = threading.Thread(target=self._run, args=(now,), daemon=True)
        stack_bytes = threading.stack_size(STACK_BYTES)
        try:
            self._thread.start()
        except RuntimeError as error:
            # The user's process limit may be reached: what runs here is not worth the caller's life.
            note_exception(error)
            self._due = now + NO_THREAD_SECONDS
            self._done.set()
        finally:
            threading.stack_size(stack_bytes)

    def _run(self, now: float) -> None:
        started_at = time.thread_time()
        try:
            self._result = self._task(now)
        except Exception as error:  # noqa: BLE001 - boundary: no error in here may cost a script its guardian
            note_exception(error)
        cpu_seconds = time.thread_time() - started_at
        # A cost that occurs once, such as loading a module, does not count for the next repetitions.
        usual = cpu_seconds if self._cpu_seconds is None else min(cpu_seconds, self._cpu_seconds)
        self._cpu_seconds = cpu_seconds
        self._ended_at = time.monotonic()
        self._due = self._ended_at + self._pause(usual)
        self._done.set()
