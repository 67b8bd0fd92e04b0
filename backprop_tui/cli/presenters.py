"""Shows what is followed to whoever asked: JSON events, one script's output as it is, or several with prefixes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.story import ENDED, HELD, PROGRESS, PUBLIC_KINDS, Event, Story
from backprop_tui.presentation.known_run import Moment
from backprop_tui.presentation.run_line import end_line, event_line, following_line

# So much of what was read may wait for a slow reader; then the log is left where it is.
MOST_PENDING_BYTES = 1 << 20
STATUS_SECONDS = 0.2
# On a terminal the status line tells the rest.
_TOLD_ON_TERMINALS = frozenset({ENDED, "attempt_ended", "nan", "told", "warned", "guardian_failed", "adopted"})
LONGEST_LINE_BYTES = 1 << 20


class Presenter(Protocol):
    """Shows runs; `wants_output` and `wants_progress` say what of them."""

    wants_output: bool
    wants_progress: bool

    def offer(self, run_id: str, content: bytes) -> None:
        """What a script printed; only while there is room."""

    def room(self) -> bool:
        """Whether more output is welcome."""

    def flush(self) -> bool:
        """Writes as much as the reader takes without making us wait; whether that was all.

        Raises:
            BrokenPipeError: nobody reads any more.
        """

    def event(self, event: Event) -> None:
        """Something happened to a run."""

    def status(self, stories: Sequence[Story], now: float) -> None:
        """The moment to show what changes all the time; `now` is monotonic."""


class JsonEvents:
    """One JSON object a line on stdout; the scripts' output stays in their logs."""

    wants_output = False
    wants_progress = True

    def offer(self, run_id: str, content: bytes) -> None:
        """Not wanted."""

    def room(self) -> bool:
        """Nothing ever waits."""
        return True

    def flush(self) -> bool:
        """Each event is written at once."""
        return True

    def event(self, event: Event) -> None:
        """One line, of what is public."""
        if event.kind in PUBLIC_KINDS:
            message = {"message": event.message} if event.kind == HELD else {}
            output.json_line({"event": event.kind, "time": event.time, "run": event.run_id} | message | event.figures)

    def status(self, stories: Sequence[Story], now: float) -> None:
        """A program reads the events."""


class PlainOutput:
    """The script's output on stdout, byte for byte; our words on stderr, one status line where that is a terminal."""

    wants_output = True
    wants_progress = False

    def __init__(self, titles: Mapping[str, str]) -> None:
        self._titles = titles
        self._pending = bytearray()
        self._line_open = False  # half a line of the script's stands on the terminal that we share
        self._shares_terminal = output.is_terminal() and diagnostics.is_terminal()
        self._status_at = 0.0

    def offer(self, run_id: str, content: bytes) -> None:
        """Kept until the reader takes it."""
        self._pending += content

    def room(self) -> bool:
        """Whether the reader keeps up."""
        return len(self._pending) < MOST_PENDING_BYTES

    def flush(self) -> bool:
        """As Presenter has it."""
        if not self._pending:
            return True
        if self._shares_terminal:
            diagnostics.clear_status()
        with memoryview(self._pending) as view:
            last = view[-1]
            written = output.accept(view)
        del self._pending[:written]
        self._line_open = self._shares_terminal and (bool(self._pending) or last != ord("\n"))
        return not self._pending

    def event(self, event: Event) -> None:
        """A line of ours, never in the middle of one of the script's."""
        words = _event_text(event)
        if words is None or (diagnostics.is_terminal() and event.kind not in _TOLD_ON_TERMINALS):
            return
        if self._line_open:
            self._line_open = False
            diagnostics.say("")
        diagnostics.say(f"{self._titles[event.run_id]}: {words}")

    def status(self, stories: Sequence[Story], now: float) -> None:
        """The line at the bottom, a few times a second."""
        if now >= self._status_at and not self._line_open and diagnostics.is_terminal():
            self._status_at = now + STATUS_SECONDS
            runs = [(story.run, story.live()) for story in stories]
            diagnostics.status(following_line(runs, Moment.now()))


def _event_text(event: Event) -> str | None:
    """An event for people; None for one that they need not see."""
    if event.kind in (PROGRESS, "admitted"):
        return None
    if event.kind == ENDED:
        return end_line(event.figures["run"])
    return event_line("waits" if event.kind == HELD else event.kind, event.message)


class PrefixedOutput(PlainOutput):
    """Whole lines of several runs, each with its run's label before it.

    A carriage return ends a line as well, and is kept: progress bars are lines that are written over.
    """

    def __init__(self, titles: Mapping[str, str], labels: Mapping[str, str]) -> None:
        super().__init__(titles)
        self._partial: dict[str, bytes] = {}
        self._prefixes: dict[str, bytes] = {}
        self.name(labels)

    def name(self, labels: Mapping[str, str]) -> None:
        """What stands before the lines of each run from now on, all of one width."""
        width = max(map(len, labels.values()), default=0)
        self._prefixes = {
            run_id: f"{label:<{width}} | ".encode("utf-8", "surrogateescape") for run_id, label in labels.items()
        }

    def offer(self, run_id: str, content: bytes) -> None:
        """Kept until its line is whole."""
        prefix = self._prefixes[run_id]
        *whole, last = (self._partial.pop(run_id, b"") + content).splitlines(keepends=True)
        if last.endswith(b"\n"):
            whole.append(last)
        elif len(last) > LONGEST_LINE_BYTES:
            whole.append(last + b"\n")
        else:
            self._partial[run_id] = last  # a carriage return at the very end may be half of a line's end
        for line in whole:
            self._pending += prefix + line

    def finish(self, run_id: str) -> None:
        """Nothing more comes of that run: a last line without an end gets one."""
        partial = self._partial.pop(run_id, b"")
        if partial:
            self._pending += self._prefixes[run_id] + partial + b"\n"
