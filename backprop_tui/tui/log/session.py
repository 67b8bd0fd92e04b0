"""One log as it is looked at: the file, the place, the search, and the work that is left; without threads or clocks."""

from __future__ import annotations

from collections import deque

from backprop_tui.tui.log.counts import LineCounts
from backprop_tui.tui.log.file import Change, LogFile
from backprop_tui.tui.log.kinds import ERROR
from backprop_tui.tui.log.page import Page, SearchState
from backprop_tui.tui.log.search import MatchCounts, Matcher, Seek, compiled
from backprop_tui.tui.log.viewport import Viewport

ERROR_WITHIN_BYTES = 4 << 20  # of the end of a failed run's log
QUIET_TIMES = 10  # longer than usual
QUIET_SECONDS = 10.0
_GAPS = 32
_FEWEST_GAPS = 5
_ERRORS = Matcher(ERROR, one_by_one=False)


class LogSession:
    """What is asked of a log, and what it shows; `work` does a small part of what takes longer."""

    def __init__(self, path: str | None, *, live: bool = True, failed: bool = False) -> None:
        """`failed`: begins at the error that ended the run rather than at the end."""
        self.live = live
        self._path = path
        self._file = LogFile(path or "")
        self._view = Viewport(self._file)
        self._to_error = failed
        self._search_problem: tuple[str, str] | None = None
        self._expression = ""
        self._matcher: Matcher | None = None
        self._note = ""
        self._gaps: deque[float] = deque(maxlen=_GAPS)
        self._begin()

    def _begin(self) -> None:
        """The content is another one."""
        self._counts = LineCounts()
        self._matches = MatchCounts(self._matcher) if self._matcher else None
        self._seek: Seek | None = None
        self._hit: int | None = None
        self._gaps.clear()
        self._written: float | None = None
        self._view.forget()

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    @property
    def has_work(self) -> bool:
        """Whether something is being counted or sought."""
        file = self._file
        if self._seek is not None or self._counts.counted_to < file.size:
            return True
        return self._matches is not None and self._matches.share(file) is not None

    @property
    def is_seeking(self) -> bool:
        """Whether a line is being sought that the screen is to go to."""
        return self._seek is not None

    def look(self) -> bool:
        """Looks at the file; whether it is another one than before."""
        if self._path is None:
            return False
        change = self._file.look()
        if change is Change.OTHER:
            self._begin()
            if self._to_error and self._file.size:
                self.to_last_error()
            self._to_error = False
        written = self._file.written_at
        if change is Change.GROWN and written is not None:
            if self._written is not None and written > self._written:
                self._gaps.append(written - self._written)
            self._written = written
        return change is not Change.NONE

    def work(self) -> None:
        """A part of what is to be done: what was asked for first, then the lines, then the matches."""
        file = self._file
        if self._seek is not None:
            if not self._seek.step(file):
                self._sought(self._seek)
        elif self._counts.counted_to < file.size:
            before = self._counts.counted_to
            self._counts.step(file)
            if self._counts.counted_to == before:
                file.look()  # it is shorter than it was
        elif self._matches is not None:
            self._matches.step(file)

    def _sought(self, seek: Seek) -> None:
        self._seek = None
        if seek.found is None:
            self._note = "no match" if self._matcher else "no error"
            return
        self._note = "from the other end" if seek.went_around else ""
        self._hit = seek.found
        self._view.to_line(seek.found)

    def shape(self, width: int, height: int) -> None:
        """Another size; a line that was sought and is on the screen stays on it."""
        hit = self._hit
        if hit is not None and all(row.start != hit for row in self._view.rows()):
            hit = None
        self._view.shape(width, height)
        if hit is not None:
            self._view.to_line(hit)

    def move(self, count: int) -> None:
        """Scrolls."""
        self._note = ""
        self._view.move(count)

    def to_top(self) -> None:
        """The first line."""
        self._note = ""
        self._view.to_top()

    def to_end(self) -> None:
        """The end, and what will be added."""
        self._note, self._hit = "", None
        self._view.to_end()

    def toggle_follow(self) -> None:
        """Follows, or stays."""
        if self._view.following:
            self._view.stay()
        else:
            self.to_end()

    def toggle_wrap(self) -> None:
        """Wraps long lines, or cuts them."""
        self._view.set_wrap(wrap=not self._view.wrap)

    def to_number(self, number: int) -> None:
        """A line by its number; nothing where it is not counted so far."""
        start = self._counts.start_of(number, self._file)
        if start is not None:
            self._hit = start
            self._view.to_line(start)

    def search(self, expression: str) -> None:
        """A search is on, and goes to a match near here; none where the expression is empty."""
        self._expression, self._search_problem, self._matcher = expression, None, None
        found = compiled(expression) if expression else None
        if isinstance(found, str):
            self._search_problem = expression, found
        elif found is not None:
            self._matcher = Matcher(found)
        self._matches = MatchCounts(self._matcher) if self._matcher else None
        self._view.pattern = self._matcher.pattern if self._matcher else None
        self._view.forget()
        self._seek, self._hit, self._note = None, None, ""
        if self._matcher is not None:
            # At the end it is the last one that is wanted, elsewhere the next one from what is shown on.
            rows = self._view.rows()
            place = self._file.size if self._view.following else rows[0].start - 1 if rows else -1
            self._seek = Seek(self._matcher, place, forward=not self._view.following)

    def stop_seeking(self) -> None:
        """What is being sought is given up."""
        self._seek = None

    def to_last_error(self) -> None:
        """The error that ended the run: the last one, if there is one near the end."""
        floor = max(0, self._file.size - ERROR_WITHIN_BYTES)
        self._seek = Seek(_ERRORS, self._file.size, forward=False, floor=floor, around=False)

    def next_match(self, *, forward: bool) -> None:
        """The next match of the search that is on."""
        if self._matcher is not None:
            self._seek_from_here(self._matcher, forward=forward)

    def next_error(self) -> None:
        """The next error or traceback below, then from the top."""
        self._seek_from_here(_ERRORS, forward=True)

    def _seek_from_here(self, matcher: Matcher, *, forward: bool) -> None:
        rows = self._view.rows()
        shown = {row.start for row in rows}
        place = self._hit if self._hit in shown and self._hit is not None else None
        if place is None and rows:
            place = rows[0].start - 1 if forward else rows[-1].start + 1
        self._seek = Seek(matcher, -1 if place is None else place, forward=forward)

    def page(self, now: float) -> Page:
        """What is shown; `now` in seconds since the epoch."""
        file = self._file
        rows = self._view.rows()
        first = last = None
        if rows and not self._view.following:
            before = self._counts.before(rows[0].start, file)
            first = None if before is None else before + 1
            last = None if first is None else first + len({row.start for row in rows}) - 1
        at = None if self._hit is None else self._counts.before(self._hit, file)
        written = None if file.written_at is None else max(0.0, now - file.written_at)
        return Page(
            path=self._path,
            is_read=True,
            problem=file.problem,
            size=file.size,
            rows=rows,
            live=self.live,
            following=self._view.following,
            wrap=self._view.wrap,
            hit=self._hit,
            first=first,
            last=last,
            hit_number=None if at is None else at + 1,
            total=self._counts.total(file),
            counted=self._counts.counted_to / file.size if file.size else 1.0,
            written_seconds=None if written is None else float(int(written)),
            usual_seconds=self._usual(written),
            search=self._search_state(),
            seeking=self._seek is not None,
            note=self._note,
        )

    def _usual(self, written: float | None) -> float | None:
        """The middle time between two writes, once the last one is much longer ago."""
        if written is None or not self.live or len(self._gaps) < _FEWEST_GAPS:
            return None
        usual = sorted(self._gaps)[len(self._gaps) // 2]
        return usual if written >= max(QUIET_SECONDS, QUIET_TIMES * usual) else None

    def _search_state(self) -> SearchState | None:
        if self._search_problem is not None:
            return SearchState(expression=self._search_problem[0], problem=self._search_problem[1])
        if self._matches is None:
            return None
        ordinal = None if self._hit is None else self._matches.ordinal(self._hit, self._file)
        return SearchState(
            expression=self._expression,
            count=self._matches.count,
            ordinal=ordinal,
            share=self._matches.share(self._file),
        )
