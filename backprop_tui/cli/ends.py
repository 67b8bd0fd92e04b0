"""Which of some runs have ended, found out by looking at their records only where they changed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from backprop_tui.cli.story import Story
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.run_view import public_record


class Ends:
    """The runs that are waited for, and the records of those that have ended."""

    def __init__(self, home: Home, run_ids: Sequence[str]) -> None:
        self._home = home
        self.waiting: dict[str, Story | None] = dict.fromkeys(run_ids)
        self.records: dict[str, JsonObject] = {}

    def look(self) -> Iterator[JsonObject]:
        """The records of those that ended since.

        Raises:
            UnknownRun: one was removed.
        """
        for run_id, story in [*self.waiting.items()]:
            record = self._end_of(run_id, story)
            if record is not None:
                self.records[run_id] = record
                del self.waiting[run_id]
                yield record

    def _end_of(self, run_id: str, story: Story | None) -> JsonObject | None:
        if story is None:
            if not os.path.exists(self._home.run_folder(run_id)):
                return public_record(self._home, run_id)  # of the original: it has ended, and only the index knows it
            story = self.waiting[run_id] = Story(self._home, run_id, metrics_offset=None)
        return story.record() if story.look() and story.has_ended else None
