"""Shows runs that are followed: as JSON events, one script's output unchanged, or that of several with prefixes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.event_stream import ATTEMPT_ENDED, ENDED, HELD, PROGRESS, PUBLIC_KINDS, Event, EventStream
from backprop_tui.cli.session import Session
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.presentation.known_run import Moment
from backprop_tui.presentation.remedies import how_to_change
from backprop_tui.presentation.run_line import end_line, event_line, following_line
from backprop_tui.presentation.timebox import ends_text, reached_timebox, resume_command, slice_end_text, start_text
from backprop_tui.store.run_directory import RunDirectory

MAX_PENDING_BYTES = 1 << 20  # output that may wait for a slow reader; beyond that no more of the log is read
MAX_LINE_BYTES = 1 << 20
STATUS_SECONDS = 0.2
WAITING_SECONDS = 60.0  # between two lines about what a run still waits for, without a terminal
STARTED, EXTENDED = "started", "extended"
# The events that get a line of their own on a terminal, where the status line shows the rest.
_SHOWN_ON_TERMINALS = frozenset(
    {STARTED, EXTENDED, ENDED, ATTEMPT_ENDED, "nan", "told", "warned", "guardian_failed", "adopted", "limits_lower"}
)


class Presenter:
    """Shows runs; the attributes say which of their news are offered to it. This base shows nothing."""

    wants_output = False
    wants_progress = False

    def offer(self, run_id: str, content: bytes) -> None:
        """Takes what a script printed; only call this while there is room."""

    def room(self) -> bool:
        """Whether more output can be taken."""
        return True

    def flush(self) -> bool:
        """Writes as much as the reader takes without blocking; whether that was all. May raise BrokenPipeError."""
        return True

    def finish(self, run_id: str) -> None:
        """Ends the run's last line if it is incomplete: no more output comes."""

    def event(self, event: Event) -> None:
        """Shows that something happened to a run."""

    def status(self, streams: Sequence[EventStream], now: float) -> None:
        """Shows what changes all the time; `now` is monotonic."""


class JsonEvents(Presenter):
    """One JSON object per line on stdout; the scripts' output is only in their logs."""

    wants_progress = True

    def event(self, event: Event) -> None:
        if event.kind in PUBLIC_KINDS:
            message = {"message": event.message} if event.kind == HELD else {}
            extra = {"resume_command": resume_command(event.values["run"])} if _reached_timebox(event) else {}
            line = {"event": event.kind, "time": event.time, "run": event.run_id} | message | event.values | extra
            output.json_line(line)


def _reached_timebox(event: Event) -> bool:
    return event.kind == ENDED and reached_timebox(event.values["run"])


class PlainOutput(Presenter):
    """The script's output on stdout, messages on stderr, with a status line if that is a terminal."""

    wants_output = True

    def __init__(self, titles: Mapping[str, str], *, hint: str | None = None) -> None:
        """`hint` is added to the first start."""
        self._titles = titles
        self._hint = hint
        self._output = output.ScriptOutput()
        self._messages: list[str] = []  # they wait until what was printed before is written
        self._line_open = False  # whether an unfinished line of the script is on the terminal that we share
        self._shares_terminal = output.is_terminal() and diagnostics.is_terminal()
        self._status_at = 0.0
        self._advised: set[str] = set()
        self._waits_again_at = math.inf

    def offer(self, run_id: str, content: bytes) -> None:
        self._output.add(content)

    def finish(self, run_id: str) -> None:
        self._output.add(b"", final=True)

    def room(self) -> bool:
        return len(self._output) < MAX_PENDING_BYTES

    def flush(self) -> bool:
        if self._output:
            self._write_pending()
        if self._output:
            return False
        for message in self._messages:
            if self._line_open:
                self._line_open = False
                diagnostics.say("")
            diagnostics.say(message)
        self._messages.clear()
        return True

    def _write_pending(self) -> None:
        if self._shares_terminal:
            diagnostics.clear_status()
        self._output.write()
        self._line_open = self._shares_terminal and (bool(self._output) or not self._output.ends_line)

    def event(self, event: Event) -> None:
        """Prints a line, never in the middle of one of the script's, nor before what the script printed."""
        text = _event_text(event)
        is_shown = event.kind in _SHOWN_ON_TERMINALS or (event.kind == HELD and len(self._titles) == 1)
        if text is None or (diagnostics.is_terminal() and not is_shown):
            return
        if event.kind == STARTED and self._hint is not None:
            text, self._hint = f"{text} ({self._hint})", None
        self._messages.append(f"{self._titles[event.run_id]}: {text}")
        if event.kind == HELD:
            self._waits_again_at = time.monotonic() + WAITING_SECONDS
            group = None if event.run is None or len(self._titles) == 1 else event.run.group
            self._advise(how_to_change(event.values["reasons"], group or event.run_id))
        self.flush()

    def say(self, message: str) -> None:
        """Prints a message of our own, after what was offered before."""
        self._messages.append(message)
        self.flush()

    def _advise(self, lines: Sequence[str]) -> None:
        """Says each line once."""
        self._messages += [line for line in lines if line not in self._advised]
        self._advised.update(lines)

    def status(self, streams: Sequence[EventStream], now: float) -> None:
        holds = [stream.hold for stream in streams if stream.hold is not None]
        if not diagnostics.is_terminal():
            if holds and now >= self._waits_again_at and not any(stream.run.status in ACTIVE for stream in streams):
                self.event(holds[0])
        elif now >= self._status_at and not self._line_open:
            self._status_at = now + STATUS_SECONDS
            runs = [(stream.run, stream.live()) for stream in streams]
            diagnostics.status(following_line(runs, Moment.now(), holds[0].message if holds else ""))


def _event_text(event: Event) -> str | None:
    if event.kind in (PROGRESS, "admitted"):
        return None
    if event.kind == ENDED:
        return end_line(event.values["run"])
    message, now = event.message, time.time()
    if event.run is not None and event.kind == STARTED:
        message = start_text(event.values, message, event.time, event.run, now)
    elif event.run is not None and event.kind == ATTEMPT_ENDED and event.values.get("status") == Status.TIMEBOXED:
        return slice_end_text(event.values["run"], message, event.run, event.values["position"])
    elif event.kind == EXTENDED:
        message = ", ".join(filter(None, (message, ends_text(event.values, event.time, now))))
    return event_line(event.kind, message)


class PrefixedOutput(PlainOutput):
    """Whole lines of several runs, each with its run's label before it.

    A carriage return ends a line as well, and is kept: a progress bar writes its lines over each other.
    """

    def __init__(self, titles: Mapping[str, str], labels: Mapping[str, str], *, hint: str | None = None) -> None:
        super().__init__(titles, hint=hint)
        self._partial: dict[str, bytes] = {}
        self._prefixes: dict[str, bytes] = {}
        self.set_labels(labels)

    def set_labels(self, labels: Mapping[str, str]) -> None:
        width = max(map(len, labels.values()), default=0)
        self._prefixes = {
            run_id: f"{label:<{width}} | ".encode("utf-8", "surrogateescape") for run_id, label in labels.items()
        }

    def offer(self, run_id: str, content: bytes) -> None:
        prefix = self._prefixes[run_id]
        *whole, last = (self._partial.pop(run_id, b"") + content).splitlines(keepends=True)
        if last.endswith(b"\n"):
            whole.append(last)
        elif len(last) > MAX_LINE_BYTES:
            whole.append(last + b"\n")
        else:
            self._partial[run_id] = last  # a carriage return at the very end may be half of a line's end
        for line in whole:
            self._output.add(prefix + line, final=True)

    def finish(self, run_id: str) -> None:
        partial = self._partial.pop(run_id, b"")
        if partial:
            self._output.add(self._prefixes[run_id] + partial + b"\n", final=True)


def presenter_for(session: Session, run_ids: Sequence[str], *, hint: str | None = None) -> Presenter:
    """`hint` is what to say once, with the first start."""
    if session.json:
        return JsonEvents()
    names = {run_id: RunDirectory(session.home.run_folder(run_id)).read().label for run_id in run_ids}
    titles = {run_id: f"{run_id} ({name})" for run_id, name in names.items()}
    return PlainOutput(titles, hint=hint) if len(names) == 1 else PrefixedOutput(titles, labels(names), hint=hint)


def labels(names: Mapping[str, str]) -> dict[str, str]:
    """The label of each run: its name if no other run has it, else its id."""
    all_names = list(names.values())
    return {run_id: name if all_names.count(name) == 1 else run_id for run_id, name in names.items()}
