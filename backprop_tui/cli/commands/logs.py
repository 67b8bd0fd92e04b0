"""`logs`: prints the output of scripts, and with -f what they print from then on."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping

from backprop_tui.cli import diagnostics, output, values
from backprop_tui.cli.event_stream import MAX_WAIT_SECONDS, EventStream, Pace
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.presenters import PlainOutput, PrefixedOutput, labels
from backprop_tui.cli.session import Session, named_or_all
from backprop_tui.client.handles import HELP
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.status import UNFINISHED
from backprop_tui.presentation.run_line import end_line, output_text
from backprop_tui.presentation.states import status_word
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import marked_views
from backprop_tui.store.tail import Tail, offset_of_last_lines, size_of

SUMMARY = (
    "print what a run's script printed, byte for byte (to a terminal: text and colors); of several runs with names"
)

DISCOVER_SECONDS = 0.5
ENSURE_SECONDS = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="*", help=HELP)
    parser.add_argument("--all", action="store_true", help="every unfinished run; with -f also those that come later")
    parser.add_argument("-f", "--follow", action="store_true", help="continue until the run has ended")
    parser.add_argument(
        "-n", "--lines", metavar="N", type=values.whole(least=0), help="begin with the last N lines (default: all)"
    )


def execute(arguments: argparse.Namespace, session: Session) -> int:
    offsets = {run_id: _offset(session, run_id, arguments.lines) for run_id in named_or_all(arguments, session)}
    LogFollowing(session, offsets, discover=arguments.all).to_the_end(follow=arguments.follow)
    return OK


def _offset(session: Session, run_id: str, lines: int | None) -> int:
    directory = RunDirectory(session.home.run_folder(run_id))
    if not os.path.exists(directory.path):
        raise UsageError(f"run {run_id} was recorded by the original Backprop, which kept no logs")
    live = directory.read_live()
    if live is not None and live.own_log is not None:
        diagnostics.say(f"run {run_id}: {output_text(live.own_log.path, live.own_log.problem)}")
    elif size_of(directory.log) == 0:
        diagnostics.say(f"run {run_id} is {status_word(directory.read().status)} and has printed nothing yet")
    return 0 if lines is None else offset_of_last_lines(directory.log, lines)


class LogStream:
    def __init__(self, session: Session, run_id: str, offset: int) -> None:
        self.events = EventStream(session.home, run_id, metrics_offset=None)
        self._tail = Tail(self.events.directory.log, offset)
        self.is_over = False
        self._shows_end = not self.events.has_ended  # of a run that ends while it is followed

    def pass_on(self, presenter: PlainOutput) -> bool:
        """Passes on what is new while there is room; returns whether there was anything."""
        self.events.refresh()
        ended = self.events.has_ended  # checked before the log is read, so that what is read then is all of it
        passed = False
        while presenter.room():
            content = self._tail.read()
            if not content:
                self.is_over = ended
                break
            passed = True
            presenter.offer(self.events.run.id, content)
        if self.is_over:
            presenter.finish(self.events.run.id)
            if self._shows_end:
                run = self.events.run
                presenter.say(f"{run.id} ({run.label}): {end_line(self.events.record())}")
        return passed


class LogFollowing:
    """Follows logs; with `discover` also those of runs that come later, from their beginning."""

    def __init__(self, session: Session, offsets: Mapping[str, int], *, discover: bool) -> None:
        self._session = session
        self._discover = discover
        self._streams = {run_id: LogStream(session, run_id, offset) for run_id, offset in offsets.items()}
        several = len(self._streams) > 1 or discover
        self._presenter = PrefixedOutput({}, self._labels()) if several else PlainOutput({})
        self._discover_at = self._ensure_at = time.monotonic() + DISCOVER_SECONDS
        self._began = time.time()

    def to_the_end(self, *, follow: bool) -> None:
        """Until every run has ended and its log is shown; without `follow` until the present end of each log."""
        pace = Pace(time.monotonic())
        while follow:
            now = time.monotonic()
            passed_on = [stream.pass_on(self._presenter) for stream in self._unfinished()]
            if any(passed_on):
                pace.changed(now)
            all_written = self._presenter.flush()
            if now >= self._discover_at or not self._unfinished():
                self._find_new(now)
            if not self._unfinished():
                break
            self._ensure_supervisor(now)
            output.wait(pace.seconds(now, urgent=False), for_reader=not all_written)
        for run_id, stream in self._streams.items():  # one after the other
            while not stream.is_over and stream.pass_on(self._presenter):
                self._write_all()
            self._presenter.finish(run_id)
        self._write_all()

    def _write_all(self) -> None:
        while not self._presenter.flush():
            output.wait(MAX_WAIT_SECONDS, for_reader=True)

    def _unfinished(self) -> list[LogStream]:
        return [stream for stream in self._streams.values() if not stream.is_over]

    def _find_new(self, now: float) -> None:
        """Also finds runs that came and ended between two looks, as long as they are not in the index yet."""
        if not self._discover:
            return
        self._discover_at = now + DISCOVER_SECONDS
        unknown = [view.run for view in marked_views(self._session.home) if view.run.id not in self._streams]
        new = [run.id for run in unknown if run.status in UNFINISHED or run.created_at >= self._began]
        self._streams |= {run_id: LogStream(self._session, run_id, 0) for run_id in new}
        if new and isinstance(self._presenter, PrefixedOutput):
            self._presenter.set_labels(self._labels())

    def _labels(self) -> dict[str, str]:
        return labels({run_id: stream.events.run.label for run_id, stream in self._streams.items()})

    def _ensure_supervisor(self, now: float) -> None:
        if now >= self._ensure_at:
            self._ensure_at = now + ENSURE_SECONDS
            self._session.keep_supervisor(stream.events.run for stream in self._unfinished())
