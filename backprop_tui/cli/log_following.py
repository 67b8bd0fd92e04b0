"""What several scripts print, passed on as it is written, until their runs have ended."""

from __future__ import annotations

import time
from collections.abc import Mapping

from backprop_tui.cli import output
from backprop_tui.cli.handing_over import labels
from backprop_tui.cli.pacing import LONGEST_SECONDS, Pace
from backprop_tui.cli.presenters import PlainOutput, PrefixedOutput
from backprop_tui.cli.session import Session
from backprop_tui.cli.story import Story
from backprop_tui.domain.status import UNFINISHED
from backprop_tui.store.run_view import marked_views
from backprop_tui.store.tail import Tail

DISCOVER_SECONDS = 0.5
ENSURE_SECONDS = 2.0


class LogStream:
    """The log of one run from an offset on, over all its attempts."""

    def __init__(self, session: Session, run_id: str, offset: int) -> None:
        self.story = Story(session.home, run_id, metrics_offset=None)
        self._tail = Tail(self.story.directory.log, offset)
        self.is_over = False

    def pass_on(self, shown: PlainOutput) -> bool:
        """Passes on what is new while there is room; whether there was anything."""
        self.story.look()
        ended = self.story.has_ended  # before the log is read: what is read then is all there is
        passed = False
        while shown.room():
            content = self._tail.read()
            if not content:
                self.is_over = ended
                break
            passed = True
            shown.offer(self.story.run.id, content)
        if self.is_over and isinstance(shown, PrefixedOutput):
            shown.finish(self.story.run.id)
        return passed


class LogFollowing:
    """Follows logs; `discover`: those too of runs that come later, from their beginning."""

    def __init__(self, session: Session, offsets: Mapping[str, int], *, discover: bool) -> None:
        self._session = session
        self._discover = discover
        self._streams = {run_id: LogStream(session, run_id, offset) for run_id, offset in offsets.items()}
        several = len(self._streams) > 1 or discover
        self._shown = PrefixedOutput({}, self._labels()) if several else PlainOutput({})
        self._discover_at = self._ensure_at = time.monotonic() + DISCOVER_SECONDS
        self._began = time.time()

    def to_the_end(self, *, follow: bool) -> None:
        """Until every run has ended and its log is passed on; without `follow` until each log's present end.

        Raises:
            BrokenPipeError: nobody reads stdout any more.
        """
        pace = Pace(time.monotonic())
        while follow:
            now = time.monotonic()
            passed = [stream.pass_on(self._shown) for stream in self._unfinished()]
            if any(passed):
                pace.changed(now)
            all_written = self._shown.flush()
            if now >= self._discover_at or not self._unfinished():
                self._find_new(now)
            if not self._unfinished():
                break
            self._ensure_supervisor(now)
            output.wait(pace.seconds(now, urgent=False), for_reader=not all_written)
        for run_id, stream in self._streams.items():  # one after the other
            while not stream.is_over and stream.pass_on(self._shown):
                self._write_all()
            if isinstance(self._shown, PrefixedOutput):
                self._shown.finish(run_id)
        self._write_all()

    def _write_all(self) -> None:
        while not self._shown.flush():
            output.wait(LONGEST_SECONDS, for_reader=True)

    def _unfinished(self) -> list[LogStream]:
        return [stream for stream in self._streams.values() if not stream.is_over]

    def _find_new(self, now: float) -> None:
        """Also those that came and ended between two looks, as long as they are not indexed."""
        if not self._discover:
            return
        self._discover_at = now + DISCOVER_SECONDS
        new = [one.run for one in marked_views(self._session.home) if one.run.id not in self._streams]
        wanted = [run.id for run in new if run.status in UNFINISHED or run.created_at >= self._began]
        self._streams |= {run_id: LogStream(self._session, run_id, 0) for run_id in wanted}
        if wanted and isinstance(self._shown, PrefixedOutput):
            self._shown.name(self._labels())

    def _labels(self) -> dict[str, str]:
        return labels({run_id: stream.story.run.name for run_id, stream in self._streams.items()})

    def _ensure_supervisor(self, now: float) -> None:
        if now >= self._ensure_at:
            self._ensure_at = now + ENSURE_SECONDS
            self._session.supervisor.ensure()
