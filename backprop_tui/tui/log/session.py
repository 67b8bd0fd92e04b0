"""An opened log: file, cursor, search, filter and pending work."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from itertools import islice

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.tui.log.escapes import copied_text
from backprop_tui.tui.log.file import FileChange, LineCounts, LogFile, last_state
from backprop_tui.tui.log.filter import FilteredLines
from backprop_tui.tui.log.page import AttemptStart, LogPage, LogRow, Problem, SearchState, rounded_age
from backprop_tui.tui.log.problems import ProblemMap, ProblemMatcher
from backprop_tui.tui.log.search import LineMatcher, MatchCounts, Matcher, MatcherPair, MatchSearch, compile_pattern
from backprop_tui.tui.log.viewport import Viewport

ERROR_WITHIN_BYTES = 4 << 20  # of the end of a failed run's log
QUIET_FACTOR = 10  # times the usual gap between two writes
QUIET_SECONDS = 10.0
_MAX_GAPS = 32
_MIN_GAPS = 5
_MAX_COPIED_BYTES = 1 << 20  # of one line


class LogSession:
    """Carries out the commands of the log pane and renders pages; `work` does a small part of the pending work."""

    def __init__(
        self, path: str | None, *, live: bool = True, failed: bool = False, attempts: Sequence[AttemptStart] = ()
    ) -> None:
        """With `failed` it opens at the error that ended the newest attempt instead of the end."""
        self.live, self._failed = live, failed
        self._path = path
        self.has_page = threading.Event()  # set once a page was shown
        self._file = LogFile(path or "")
        self._view = Viewport(self._file)
        self._view.rule_off(attempts)
        self._attempts = attempts
        self._search = _Expression()
        self._filter = _Expression()
        self._note = ""
        self._gaps: deque[float] = deque(maxlen=_MAX_GAPS)  # seconds between two writes
        self._reset()

    def _reset(self) -> None:
        self._counts = LineCounts()
        self._problems = ProblemMap()
        self._shown: FilteredLines | None = None  # set while a filter is active
        self._view.lines = self._file
        self._matches: MatchCounts | None = None
        self._seek: MatchSearch | LineSeek | None = None
        self._cursor: int | None = None  # start of a line; None: the last one, while following
        self._jumped = False  # whether a search or an error brought the cursor there
        self._is_at_end_error = False  # nobody has moved since the log opened at an error
        self._marked: set[int] = set()
        self._gaps.clear()
        self._written_at: float | None = None
        self._view.clear_cache()

    def close(self) -> None:
        self._file.close()

    @property
    def has_work(self) -> bool:
        if self._seek is not None or self._counts.counted_to < self._file.size or self._problems.has_work:
            return True
        if self._shown is not None and self._shown.has_work:
            return True
        return self._matches is not None and self._matches.share(self._file) is not None

    @property
    def _is_at_end(self) -> bool:
        return self._cursor is None and self._seek is None

    @property
    def is_seeking(self) -> bool:
        return self._seek is not None

    def poll(self) -> bool:
        """Checks the file for changes; returns whether there was one."""
        if self._path is None:
            return False
        was_read = self._file.written_at is not None
        change = self._file.poll()
        if change is FileChange.OTHER:
            self._reset()
            self._apply_filter()
            self._apply_search()
            if self._failed and self._file.size and not was_read:
                self.to_last_error()
        written_at = self._file.written_at
        if change is FileChange.GROWN and written_at is not None:
            if self._written_at is not None and written_at > self._written_at:
                self._gaps.append(written_at - self._written_at)
            self._written_at = written_at
        if change is FileChange.GROWN and self._failed and self._is_at_end_error and self._is_at_end:
            self.to_last_error()  # which was not written yet
        self._problems.allow(self._file)
        return change is not FileChange.NONE

    def work(self) -> None:
        """Does a part of the pending work: a jump, the filter, the line numbers, the matches, then the edge."""
        file = self._file
        if self._seek is not None:
            if not self._seek.step(file):
                self._finish_seek(self._seek)
        elif self._shown is not None and self._shown.has_work:
            self._shown.step()
        elif self._counts.counted_to < file.size:
            before = self._counts.counted_to
            self._counts.step(file)
            if self._counts.counted_to == before:
                file.poll()  # the file was truncated
        elif self._matches is not None and self._matches.share(file) is not None:
            self._matches.step(file)
        else:
            self._problems.step(file)

    def _finish_seek(self, seek: MatchSearch | LineSeek) -> None:
        self._seek = None
        if seek.start is None:
            self._note = seek.missed
            return
        self._note = "wrapped" if seek.wrapped else ""
        self._cursor, self._jumped = seek.start, isinstance(seek, MatchSearch)
        self._view.to_line(seek.start)

    # Moving

    def resize(self, width: int, height: int) -> None:
        kept = self._cursor
        if kept is not None and all(row.start != kept for row in self._view.rows()):
            kept = None
        self._view.resize(width, height)
        if kept is not None:
            self._view.reveal(kept)

    def step(self, lines: int) -> None:
        """Moves the cursor, and follows when it is moved beyond the last line."""
        here = self._here(self._view.rows())
        if here is None or (self._view.following and lines > 0):
            return
        if lines < 0:
            ahead = [start for start, _ in islice(self._view.lines.backward(here), -lines)]
        else:
            after = self._view.lines.forward(self._file.line_end(here))
            ahead = [start for start, _ in islice(after, lines)]
        if ahead:
            self._put(ahead[-1])
            self._view.reveal(ahead[-1])
        elif lines > 0 and self._view.lines.reaches_end:
            self.to_end()
        else:
            self._put(here)
            self._view.stay()

    def move(self, count: int, *, carry: bool = False) -> None:
        """Scrolls by rows; the cursor stays on its line while that is visible, with `carry` in its row."""
        before = self._view.rows()
        here = self._here(before)
        row = next((index for index, row in enumerate(before) if row.start == here), 0)
        self._view.move(count)
        rows = self._view.rows()
        self._is_at_end_error = False
        if self._view.following or not rows or here is None:
            self._put(None)
        elif carry:
            edge = 0 if count < 0 else len(rows) - 1
            self._put(rows[edge if rows == before else min(row, len(rows) - 1)].start)
        elif rows[0].start <= here <= rows[-1].start:
            self._cursor, self._note = here, ""
        else:
            self._put(rows[0 if here < rows[0].start else -1].start)

    def point(self, row: int) -> None:
        """Moves the cursor to a row of the pane, and no longer follows."""
        rows = self._view.rows()
        if row < len(rows):
            self._view.stay()
            self._put(rows[row].start)

    def to_top(self) -> None:
        self._view.to_top()
        rows = self._view.rows()
        self._put(rows[0].start if rows else None)

    def to_end(self) -> None:
        self._put(None)
        self._view.to_end()

    def to_number(self, number: int) -> None:
        """Moves the cursor to a line, which may not be counted yet; beyond the end to the last one."""
        self._is_at_end_error = False
        self._seek = LineSeek(self._counts, number)

    def toggle_follow(self) -> None:
        if not self._view.following:
            self.to_end()
            return
        rows = self._view.rows()
        self._view.stay()
        self._put(rows[-1].start if rows else None)

    def toggle_wrap(self) -> None:
        self._view.set_wrap(wrap=not self._view.wrap)
        if self._cursor is not None:
            self._view.reveal(self._cursor)

    def _put(self, cursor: int | None) -> None:
        self._cursor, self._jumped, self._is_at_end_error, self._note = cursor, False, False, ""

    def _here(self, rows: Sequence[LogRow]) -> int | None:
        """The line of the cursor; while following the last one, and if a filter hides it the one after it."""
        if self._cursor is None or self._shown is None:
            return self._cursor if self._cursor is not None else rows[-1].start if rows else None
        return next((row.start for row in rows if row.start >= (self._cursor or 0)), rows[-1].start if rows else None)

    # Searching and filtering

    def search(self, expression: str) -> None:
        """Starts a search and jumps to a match nearby; an empty expression ends the search."""
        self._search = _Expression.parse(expression)
        self._seek, self._jumped, self._note = None, False, ""
        self._apply_search()
        if self._search.matcher is not None:
            # At the end of the log the last match is of interest, elsewhere the next one from the cursor.
            forward = not self._view.following
            position = self._position(forward=True) if forward else self._file.size
            self._seek_from(self._search.matcher, position, forward=forward)

    def _apply_search(self) -> None:
        matcher = self._search.matcher
        self._matches = None if matcher is None else MatchCounts(self._among_shown(matcher))
        self._view.pattern = None if matcher is None else matcher.pattern
        self._view.clear_cache()

    def show_only(self, expression: str) -> None:
        """Shows only the lines that match; an empty expression shows all, with the cursor where it is."""
        self._filter = _Expression.parse(expression)
        self._seek, self._note = None, ""
        self._apply_filter()
        self._apply_search()
        if self._cursor is not None:
            self._view.stay()
            self._view.to_line(self._cursor)

    def _apply_filter(self) -> None:
        matcher = self._filter.matcher
        position = self._file.size if self._cursor is None else self._cursor
        self._shown = None if matcher is None else FilteredLines(matcher, self._file, position)
        self._view.lines = self._file if self._shown is None else self._shown

    def _among_shown(self, matcher: LineMatcher) -> LineMatcher:
        return matcher if self._shown is None else MatcherPair(matcher, self._shown.matcher)

    def stop_seeking(self) -> None:
        self._seek = None

    def escape(self) -> None:
        """Ends the innermost of: a jump in progress, the search, the filter, the marks."""
        if self._seek is not None:
            self._seek = None
        elif self._search.text:
            self.search("")
        elif self._filter.text:
            self.show_only("")
        else:
            self._marked.clear()

    def to_last_error(self) -> None:
        """Jumps to the last error of the newest attempt, if there is one near its end: it is what ended the run."""
        newest = self._attempts[-1].offset if self._attempts else 0
        floor = max(newest if newest <= self._file.size else 0, self._file.size - ERROR_WITHIN_BYTES)
        matcher = ProblemMatcher(Problem.ERROR, self._problems)
        self._seek = MatchSearch(matcher, self._file.size, forward=False, floor=floor, wrap=False, missed="")
        self._is_at_end_error = True

    def next_match(self, *, forward: bool) -> None:
        if self._search.matcher is not None:
            self._seek_from(self._search.matcher, self._position(forward=forward), forward=forward)

    def next_error(self) -> None:
        """Jumps to the next error or traceback below, after the end from the top."""
        matcher = ProblemMatcher(Problem.ERROR, self._problems)
        self._seek_from(matcher, self._position(forward=True), forward=True, missed="no error")

    def to_edge(self, row: int) -> None:
        """Goes to the first of the worst problems that a row of the edge stands for, else to that part of the log."""
        size, rows = self._file.size, self._view.height
        if not size or row >= rows:
            return
        worst = self._problems.edge(size, rows)[row]
        if worst in (Problem.ERROR, Problem.WARNING):
            begin, _ = self._problems.part(row, size, rows)
            self._seek_from(ProblemMatcher(worst, self._problems), begin - 1, forward=True)
        else:
            start = self._file.line_start(size * row // rows)
            self._put(start)
            self._view.to_line(start)

    def _position(self, *, forward: bool) -> int:
        """Where to search from: after a jump from the cursor on, else its line counts too.

        While following it is the edge of what is visible.
        """
        rows = self._view.rows()
        if not rows:
            return -1
        start = self._cursor
        if start is not None and self._jumped:
            return start
        if start is None:
            start = rows[0 if forward else -1].start
        return start - 1 if forward else start + 1

    def _seek_from(self, matcher: LineMatcher, position: int, *, forward: bool, missed: str = "no match") -> None:
        self._is_at_end_error = False
        self._seek = MatchSearch(self._among_shown(matcher), position, forward=forward, missed=missed)

    # Marking, copying, and the run behind it

    def toggle_mark(self) -> None:
        """Marks or unmarks the line of the cursor, and goes to the next one."""
        here = self._here(self._view.rows())
        if here is not None:
            self._marked ^= {here}
            self.step(1)

    def extend_marks(self, lines: int) -> None:
        """Marks the line of the cursor and the one it moves to."""
        here = self._here(self._view.rows())
        if here is not None:
            self._marked.add(here)
            self.step(lines)
            self._marked |= {self._here(self._view.rows()) or here}

    def take_chosen(self) -> list[str]:
        """The text of the marked lines, which are unmarked, or of the line of the cursor."""
        here = self._here(self._view.rows())
        starts = sorted(self._marked) or ([] if here is None else [here])
        self._marked.clear()
        return [self._text(start) for start in starts]

    def lines_around(self, before: int, after: int) -> tuple[list[str], int]:
        """The text of the lines around the cursor, and the index of the cursor's own line."""
        here = self._here(self._view.rows())
        if here is None:
            return [], 0
        above = [start for start, _ in islice(self._file.backward(here), before)][::-1]
        below = [start for start, _ in islice(self._file.forward(here), after)]
        return [self._text(start) for start in (*above, *below)], len(above)

    def _text(self, start: int) -> str:
        end = min(self._file.line_end(start), start + _MAX_COPIED_BYTES)
        return copied_text(last_state(self._file.read(start, end)))

    def attend(self, attempts: Sequence[AttemptStart], *, live: bool, failed: bool) -> None:
        """Takes note of the run: follows its next attempt, and goes to the error when that failed too.

        Nothing moves while somebody reads elsewhere.
        """
        if attempts != self._attempts:
            self._attempts = attempts
            self._view.rule_off(attempts)
        if live and not self.live and self._is_at_end_error:
            self.to_end()
        if failed and not self._failed and self._view.following:
            self.to_last_error()
        self.live, self._failed = live, failed

    # Showing

    def page(self, now: float) -> LogPage:
        """Renders the page; `now` in seconds since the epoch."""
        file = self._file
        rows = self._view.rows()
        cursor = self._here(rows)
        before = None if cursor is None or self._view.following else self._counts.before(cursor, file)
        idle = None if file.written_at is None else max(0.0, now - file.written_at)
        usual_gap = self._usual_gap(idle)
        whole = None if idle is None else float(int(idle))
        return LogPage(
            path=self._path,
            is_read=True,
            problem=file.problem,
            size=file.size,
            rows=rows,
            live=self.live,
            following=self._view.following,
            elsewhere=not (self._view.following or self._is_at_end_error),
            wrap=self._view.wrap,
            cursor=cursor,
            cursor_number=None if before is None else before + 1,
            jumped=self._jumped and not self._view.following,
            marked=frozenset(self._marked),
            total=self._counts.total(file),
            counted=self._counts.counted_to / file.size if file.size else 1.0,
            idle_seconds=whole if whole is None or usual_gap is not None else rounded_age(whole),
            usual_gap_seconds=usual_gap,
            search=self._search_state(),
            filter=self._filter_state(),
            edge=self._problems.edge(file.size, self._view.height),
            thumb=self._thumb(rows),
            seeking=self._seek is not None,
            note=self._note,
        )

    def _thumb(self, rows: Sequence[LogRow]) -> range:
        size, height = self._file.size, self._view.height
        if not rows or not size:
            return range(0)
        end = size if self._view.following else self._file.line_end(rows[-1].start)
        if rows[0].start == 0 and end >= size and self._shown is None:
            return range(0)
        first = min(height - 1, rows[0].start * height // size)
        return range(first, max(first + 1, -(-end * height // size)))

    def _usual_gap(self, idle: float | None) -> float | None:
        """The median time between two writes, if the log has been idle for much longer than that."""
        if idle is None or not self.live or len(self._gaps) < _MIN_GAPS:
            return None
        usual = sorted(self._gaps)[len(self._gaps) // 2]
        return usual if idle >= max(QUIET_SECONDS, QUIET_FACTOR * usual) else None

    def _search_state(self) -> SearchState | None:
        if self._matches is None:
            return self._search.problem_state()
        ordinal = None if self._cursor is None else self._matches.ordinal(self._cursor, self._file)
        return SearchState(
            expression=self._search.text,
            count=self._matches.count,
            ordinal=ordinal,
            share=self._matches.share(self._file),
        )

    def _filter_state(self) -> SearchState | None:
        if self._shown is None:
            return self._filter.problem_state()
        return SearchState(expression=self._filter.text, count=self._shown.count, share=self._shown.share)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _Expression:
    """A regular expression that was typed; empty: none."""

    text: str = ""
    matcher: Matcher | None = None
    problem: str | None = None  # why it is invalid

    @classmethod
    def parse(cls, text: str) -> _Expression:
        pattern = compile_pattern(text) if text else None
        if isinstance(pattern, str):
            return cls(text=text, problem=pattern)
        return cls(text=text, matcher=None if pattern is None else Matcher(pattern))

    def problem_state(self) -> SearchState | None:
        return None if self.problem is None else SearchState(expression=self.text, problem=self.problem)


class LineSeek:
    """Counts lines until the one with a number is reached; the last one if there are fewer."""

    missed = ""
    wrapped = False

    def __init__(self, counts: LineCounts, number: int) -> None:
        self._counts = counts
        self._number = number
        self.start: int | None = None

    def step(self, file: LogFile) -> bool:
        """Counts a stretch; returns whether to continue."""
        self.start = self._counts.find(self._number, file)
        if self.start is not None and self.start < file.size:
            return False
        before = self._counts.counted_to
        self._counts.step(file)
        if self._counts.counted_to > before:
            return True
        last = self._counts.total(file)
        self.start = self._counts.find(min(self._number, last), file) if last else None
        return False
