"""The thread that reads an opened log."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from backprop_tui.tui.log.page import LogPage
from backprop_tui.tui.log.session import LogSession

LOOK_SECONDS = 0.25  # between two polls of the file
_ENDED_FACTOR = 4  # so much longer if nothing more is expected
_SLICE_SECONDS = 0.004  # of work, before commands get their turn
# After the first slice, which suffices for most logs, counting waits until the screen has been painted.
_PAINT_FIRST_SECONDS = 0.4

Command = Callable[[LogSession], object]


class LogThread:
    """Shows a new page whenever its content changed: immediately after a command, otherwise after a poll."""

    def __init__(self, show: Callable[[LogPage], object], *, look_seconds: float = LOOK_SECONDS) -> None:
        """`show` is called in the thread."""
        self._show = show
        self._look_seconds = look_seconds
        self._commands: queue.SimpleQueue[Command | LogSession | None] = queue.SimpleQueue()
        self._session: LogSession | None = None
        self._opened: LogSession | None = None  # last; the thread may not have begun with it yet
        self._resting = False
        self._last: LogPage | None = None
        self._poll_at = self._show_at = self._work_at = 0.0  # on the monotonic clock
        # A daemon, so that a hanging file system cannot keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Makes the thread end soon, without waiting for it."""
        self._commands.put(None)

    def open(self, session: LogSession) -> None:
        """Switches to another log; the previous one is closed."""
        self._opened = session
        self._commands.put(session)

    def page_within(self, seconds: float) -> LogPage | None:
        """Waits for the first page of the log that was opened last; None if it takes longer."""
        is_made = self._opened is not None and self._opened.has_page.wait(seconds)
        return self._last if is_made else None

    def submit(self, command: Command) -> None:
        """Calls a function with the session, in the thread."""
        self._commands.put(command)

    def rest(self, *, resting: bool) -> None:
        """Stops reading while the pane is hidden."""
        if resting != self._resting:
            self._resting = resting
            self._commands.put(LogSession.stop_seeking if resting else _wake_up)

    def _run(self) -> None:
        """Runs until it is stopped; an exception is shown where the log would be."""
        try:
            while self._turn():
                pass
        except Exception as error:  # noqa: BLE001 - the boundary of the thread: the screen stays and shows the error
            self._show(LogPage(problem=f"internal error: {error!r}"))
        if self._session is not None:
            self._session.close()

    def _turn(self) -> bool:
        """Carries out commands, polls, works and shows; returns False to stop."""
        commands = self._wait(self._seconds_to_wait())
        if None in commands:
            return False
        for command in commands:
            self._carry_out(command)
        session = self._session
        if session is None or self._resting:
            return True
        now = time.monotonic()
        pause = self._look_seconds * (1 if session.live else _ENDED_FACTOR)
        if now >= self._poll_at:
            session.poll()
            self._poll_at = now + pause
        was_seeking = session.is_seeking
        self._work(session)
        if commands or now >= self._show_at or was_seeking != session.is_seeking:
            self._show_if_changed(session)
            self._show_at = now + pause
        return True

    def _seconds_to_wait(self) -> float | None:
        """How long to wait for a command; None if there is nothing else to do."""
        if self._session is None or self._resting:
            return None
        due = self._poll_at
        if self._session.has_work:
            due = 0.0 if self._session.is_seeking else min(due, self._work_at)
        return max(0.0, due - time.monotonic())

    def _wait(self, seconds: float | None) -> list[Command | LogSession | None]:
        """All queued commands; waits up to `seconds` for the first one, forever if that is None."""
        commands: list[Command | LogSession | None] = []
        try:
            commands.append(self._commands.get(timeout=seconds) if seconds != 0.0 else self._commands.get_nowait())
            while True:
                commands.append(self._commands.get_nowait())
        except queue.Empty:
            return commands

    def _carry_out(self, command: Command | LogSession | None) -> None:
        if isinstance(command, LogSession):
            if self._session is not None:
                self._session.close()
            self._session, self._last = command, None
            self._poll_at = self._work_at = 0.0
        elif command is not None and self._session is not None:
            command(self._session)

    def _work(self, session: LogSession) -> None:
        now = time.monotonic()
        if now < self._work_at and not session.is_seeking:
            return
        until = now + _SLICE_SECONDS
        while session.has_work and self._commands.empty() and time.monotonic() < until:
            session.work()
        if self._work_at == 0.0:  # this was the first slice
            self._work_at = now + _PAINT_FIRST_SECONDS

    def _show_if_changed(self, session: LogSession) -> None:
        page = session.page(time.time())
        if page != self._last:
            self._last = page
            self._show(page)
            session.has_page.set()


def _wake_up(_session: LogSession) -> None:
    """A command that only ends the wait."""
