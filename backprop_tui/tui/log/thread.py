"""The thread that has the file: it does what the view asks, looks for what was added, and works while nobody asks."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from backprop_tui.tui.log.page import Page
from backprop_tui.tui.log.session import LogSession

LOOK_SECONDS = 0.25
_SLICE_SECONDS = 0.004  # of work, after which the questions have their turn
# After the first slice, which is all that most logs need, lines are counted when the screen has been painted.
_PAINT_FIRST_SECONDS = 0.4

Ask = Callable[[LogSession], object]


class LogThread:
    """Gives a page whenever what it shows changed: at once after a question, else as often as it looks."""

    def __init__(self, show: Callable[[Page], object], *, look_seconds: float = LOOK_SECONDS) -> None:
        """`show` is called in the thread."""
        self._show = show
        self._look_seconds = look_seconds
        self._questions: queue.SimpleQueue[Ask | LogSession | None] = queue.SimpleQueue()
        self._session: LogSession | None = None
        self._resting = False
        self._last: Page | None = None
        self._look_at = self._show_at = self._work_at = 0.0  # by the monotonic clock
        # A file system that hangs must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends soon; nobody waits for it."""
        self._questions.put(None)

    def open(self, session: LogSession) -> None:
        """Another log; the one before is closed."""
        self._questions.put(session)

    def ask(self, question: Ask) -> None:
        """Something to do with the log."""
        self._questions.put(question)

    def rest(self, *, resting: bool) -> None:
        """Nobody sees it: nothing is read until somebody does."""
        if resting != self._resting:
            self._resting = resting
            self._questions.put(LogSession.stop_seeking if resting else _nothing)

    def _run(self) -> None:
        """Until it is told to stop; what goes wrong in here is shown where the log would be."""
        try:
            while self._turn():
                pass
        except Exception as error:  # noqa: BLE001 - the named boundary: the screen stays, and says what happened
            self._show(Page(problem=f"internal error: {error!r}"))
        if self._session is not None:
            self._session.close()

    def _turn(self) -> bool:
        """Answers, looks, works and shows; False where it is to stop."""
        questions = self._wait(self._patience())
        if None in questions:
            return False
        for question in questions:
            self._take(question)
        session = self._session
        if session is None or self._resting:
            return True
        now = time.monotonic()
        if now >= self._look_at:
            session.look()
            self._look_at = now + self._look_seconds
        sought = session.is_seeking
        self._work(session)
        if questions or now >= self._show_at or sought != session.is_seeking:
            self._give(session)
            self._show_at = now + self._look_seconds
        return True

    def _patience(self) -> float | None:
        """Seconds to wait for a question; None where there is nothing else to do."""
        if self._session is None or self._resting:
            return None
        due = self._look_at
        if self._session.has_work:
            due = 0.0 if self._session.is_seeking else min(due, self._work_at)
        return max(0.0, due - time.monotonic())

    def _wait(self, seconds: float | None) -> list[Ask | LogSession | None]:
        """Everything that was asked; `seconds` None waits until something is."""
        found: list[Ask | LogSession | None] = []
        try:
            found.append(self._questions.get(timeout=seconds) if seconds != 0.0 else self._questions.get_nowait())
            while True:
                found.append(self._questions.get_nowait())
        except queue.Empty:
            return found

    def _take(self, question: Ask | LogSession | None) -> None:
        if isinstance(question, LogSession):
            if self._session is not None:
                self._session.close()
            self._session, self._last = question, None
            self._look_at = self._work_at = 0.0
        elif question is not None and self._session is not None:
            question(self._session)

    def _work(self, session: LogSession) -> None:
        now = time.monotonic()
        if now < self._work_at and not session.is_seeking:
            return
        until = now + _SLICE_SECONDS
        while session.has_work and self._questions.empty() and time.monotonic() < until:
            session.work()
        if self._work_at == 0.0:  # the first
            self._work_at = now + _PAINT_FIRST_SECONDS

    def _give(self, session: LogSession) -> None:
        page = session.page(time.time())
        if page != self._last:
            self._last = page
            self._show(page)


def _nothing(_session: LogSession) -> None:
    """A question that only wakes."""
