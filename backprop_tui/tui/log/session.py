"""An opened log: file, position, search and pending work, and the thread that reads it."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import cache

from backprop_tui.tui.log.file import FileChange, LineCounts, LogFile
from backprop_tui.tui.log.page import ERROR_PATTERN, LogPage, SearchState
from backprop_tui.tui.log.search import MatchCounts, Matcher, MatchSearch, compile_pattern
from backprop_tui.tui.log.viewport import Viewport

ERROR_WITHIN_BYTES = 4 << 20  # of the end of a failed run's log
QUIET_FACTOR = 10  # times the usual gap between two writes
QUIET_SECONDS = 10.0
_MAX_GAPS = 32
_MIN_GAPS = 5
LOOK_SECONDS = 0.25  # between two polls of the file
_SLICE_SECONDS = 0.004  # of work, before commands get their turn
# After the first slice, which suffices for most logs, counting waits until the screen has been painted.
_PAINT_FIRST_SECONDS = 0.4


@cache
def _errors() -> Matcher:
    """Compiled when it is first needed: no search, no cost."""
    return Matcher(ERROR_PATTERN, one_by_one=False)


class LogSession:
    """Carries out the commands of the log pane and renders pages; `work` does a small part of the pending work."""

    def __init__(self, path: str | None, *, live: bool = True, failed: bool = False) -> None:
        """With `failed` it opens at the error that ended the run instead of the end."""
        self.live = live
        self._path = path
        self._file = LogFile(path or "")
        self._view = Viewport(self._file)
        self._to_error = failed
        self._search_problem: tuple[str, str] | None = None
        self._expression = ""
        self._matcher: Matcher | None = None
        self._note = ""
        self._gaps: deque[float] = deque(maxlen=_MAX_GAPS)  # seconds between two writes
        self._reset()

    def _reset(self) -> None:
        self._counts = LineCounts()
        self._matches = MatchCounts(self._matcher) if self._matcher else None
        self._seek: MatchSearch | None = None
        self._target: int | None = None
        self._gaps.clear()
        self._written_at: float | None = None
        self._view.clear_cache()

    def close(self) -> None:
        self._file.close()

    @property
    def has_work(self) -> bool:
        file = self._file
        if self._seek is not None or self._counts.counted_to < file.size:
            return True
        return self._matches is not None and self._matches.share(file) is not None

    @property
    def is_seeking(self) -> bool:
        return self._seek is not None

    def poll(self) -> bool:
        """Checks the file for changes; returns whether there was one."""
        if self._path is None:
            return False
        change = self._file.poll()
        if change is FileChange.OTHER:
            self._reset()
            if self._to_error and self._file.size:
                self.to_last_error()
            self._to_error = False
        written_at = self._file.written_at
        if change is FileChange.GROWN and written_at is not None:
            if self._written_at is not None and written_at > self._written_at:
                self._gaps.append(written_at - self._written_at)
            self._written_at = written_at
        return change is not FileChange.NONE

    def work(self) -> None:
        """Does a part of the pending work: first a jump, then the line numbers, then the matches."""
        file = self._file
        if self._seek is not None:
            if not self._seek.step(file):
                self._finish_seek(self._seek)
        elif self._counts.counted_to < file.size:
            before = self._counts.counted_to
            self._counts.step(file)
            if self._counts.counted_to == before:
                file.poll()  # the file was truncated
        elif self._matches is not None:
            self._matches.step(file)

    def _finish_seek(self, seek: MatchSearch) -> None:
        self._seek = None
        if seek.start is None:
            self._note = "no match" if self._matcher else "no error"
            return
        self._note = "wrapped" if seek.wrapped else ""
        self._target = seek.start
        self._view.to_line(seek.start)

    def resize(self, width: int, height: int) -> None:
        target = self._target
        if target is not None and all(row.start != target for row in self._view.rows()):
            target = None
        self._view.resize(width, height)
        if target is not None:
            self._view.to_line(target)

    def move(self, count: int) -> None:
        self._note = ""
        self._view.move(count)

    def to_top(self) -> None:
        self._note = ""
        self._view.to_top()

    def to_end(self) -> None:
        self._note, self._target = "", None
        self._view.to_end()

    def toggle_follow(self) -> None:
        if self._view.following:
            self._view.stay()
        else:
            self.to_end()

    def toggle_wrap(self) -> None:
        self._view.set_wrap(wrap=not self._view.wrap)

    def search(self, expression: str) -> None:
        """Starts a search and jumps to a match nearby; an empty expression ends the search."""
        self._expression, self._search_problem, self._matcher = expression, None, None
        pattern = compile_pattern(expression) if expression else None
        if isinstance(pattern, str):
            self._search_problem = expression, pattern
        elif pattern is not None:
            self._matcher = Matcher(pattern)
        self._matches = MatchCounts(self._matcher) if self._matcher else None
        self._view.pattern = self._matcher.pattern if self._matcher else None
        self._view.clear_cache()
        self._seek, self._target, self._note = None, None, ""
        if self._matcher is not None:
            # At the end of the log the last match is of interest, elsewhere the next one from the first row.
            rows = self._view.rows()
            position = self._file.size if self._view.following else rows[0].start - 1 if rows else -1
            self._seek = MatchSearch(self._matcher, position, forward=not self._view.following)

    def stop_seeking(self) -> None:
        self._seek = None

    def to_last_error(self) -> None:
        """Jumps to the last error, if there is one near the end: it is what ended the run."""
        floor = max(0, self._file.size - ERROR_WITHIN_BYTES)
        self._seek = MatchSearch(_errors(), self._file.size, forward=False, floor=floor, wrap=False)

    def next_match(self, *, forward: bool) -> None:
        if self._matcher is not None:
            self._seek_from_here(self._matcher, forward=forward)

    def next_error(self) -> None:
        """Jumps to the next error or traceback below, after the end from the top."""
        self._seek_from_here(_errors(), forward=True)

    def _seek_from_here(self, matcher: Matcher, *, forward: bool) -> None:
        rows = self._view.rows()
        position = self._target if any(row.start == self._target for row in rows) else None
        if position is None and rows:
            position = rows[0].start - 1 if forward else rows[-1].start + 1
        self._seek = MatchSearch(matcher, -1 if position is None else position, forward=forward)

    def page(self, now: float) -> LogPage:
        """Renders the page; `now` in seconds since the epoch."""
        file = self._file
        rows = self._view.rows()
        first = last = None
        if rows and not self._view.following:
            before = self._counts.before(rows[0].start, file)
            first = None if before is None else before + 1
            last = None if first is None else first + len({row.start for row in rows}) - 1
        before_target = None if self._target is None else self._counts.before(self._target, file)
        idle = None if file.written_at is None else max(0.0, now - file.written_at)
        return LogPage(
            path=self._path,
            is_read=True,
            problem=file.problem,
            size=file.size,
            rows=rows,
            live=self.live,
            following=self._view.following,
            wrap=self._view.wrap,
            target=self._target,
            first=first,
            last=last,
            target_number=None if before_target is None else before_target + 1,
            total=self._counts.total(file),
            counted=self._counts.counted_to / file.size if file.size else 1.0,
            idle_seconds=None if idle is None else float(int(idle)),
            usual_gap_seconds=self._usual_gap(idle),
            search=self._search_state(),
            seeking=self._seek is not None,
            note=self._note,
        )

    def _usual_gap(self, idle: float | None) -> float | None:
        """The median time between two writes, if the log has been idle for much longer than that."""
        if idle is None or not self.live or len(self._gaps) < _MIN_GAPS:
            return None
        usual = sorted(self._gaps)[len(self._gaps) // 2]
        return usual if idle >= max(QUIET_SECONDS, QUIET_FACTOR * usual) else None

    def _search_state(self) -> SearchState | None:
        if self._search_problem is not None:
            return SearchState(expression=self._search_problem[0], problem=self._search_problem[1])
        if self._matches is None:
            return None
        ordinal = None if self._target is None else self._matches.ordinal(self._target, self._file)
        return SearchState(
            expression=self._expression,
            count=self._matches.count,
            ordinal=ordinal,
            share=self._matches.share(self._file),
        )


Command = Callable[[LogSession], object]


class LogThread:
    """Shows a new page whenever its content changed: immediately after a command, otherwise after a poll."""

    def __init__(self, show: Callable[[LogPage], object], *, look_seconds: float = LOOK_SECONDS) -> None:
        """`show` is called in the thread."""
        self._show = show
        self._look_seconds = look_seconds
        self._commands: queue.SimpleQueue[Command | LogSession | None] = queue.SimpleQueue()
        self._session: LogSession | None = None
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
        self._commands.put(session)

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
        if now >= self._poll_at:
            session.poll()
            self._poll_at = now + self._look_seconds
        was_seeking = session.is_seeking
        self._work(session)
        if commands or now >= self._show_at or was_seeking != session.is_seeking:
            self._show_if_changed(session)
            self._show_at = now + self._look_seconds
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


def _wake_up(_session: LogSession) -> None:
    """A command that only ends the wait."""
