"""The interface of a log format, and the list of supported formats.

To add a format, write a class with `marks` and `read` and list it in READERS. Each line is passed to the readers in
this order until one of them returns events. `merge` combines the events that several formats report for one training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

from backprop_tui.readers.announced_totals import AnnouncedTotals
from backprop_tui.readers.checkpoint_messages import CheckpointMessages
from backprop_tui.readers.events import ReaderEvent
from backprop_tui.readers.json_lines import JsonLines
from backprop_tui.readers.keras import Keras
from backprop_tui.readers.lightning import Lightning
from backprop_tui.readers.line_context import LineContext
from backprop_tui.readers.pairs import Pairs
from backprop_tui.readers.progress_bars import ProgressBars
from backprop_tui.readers.python_dicts import PythonDicts
from backprop_tui.readers.summaries import Summaries
from backprop_tui.readers.tables import Tables
from backprop_tui.readers.ultralytics import Ultralytics


class Reader(Protocol):
    """Parses one log format. There is one instance per log, so it may keep (bounded) state between lines.

    It must not raise: a line it does not understand yields no events.
    """

    @property
    def marks(self) -> Sequence[bytes]:
        """Byte strings searched for in the raw bytes of a line: `read` gets the lines that contain at least one.

        So every line of the format must contain one of them.
        """

    def read(self, line: str, offset: int) -> Iterable[ReaderEvent]:
        """Parses a line, given as a terminal would display it; `offset` is the byte position just after it."""


@runtime_checkable
class StatefulReader(Protocol):
    """A reader with state that another process needs in order to continue reading the log."""

    @property
    def tag(self) -> str:
        """The key of the state in live.json, which never changes."""

    def memory(self) -> Any:  # noqa: ANN401 - any JSON value
        """Returns the state as a JSON value."""

    def remember(self, memory: Any) -> None:  # noqa: ANN401 - as above
        """Restores a state that `memory` returned. Raises: TypeError or ValueError, if it is none."""


@runtime_checkable
class FollowingReader(Protocol):
    """A reader of a multi-line format that may ask for the next line whatever bytes it contains."""

    @property
    def follows(self) -> bool:
        """Whether `read` is to get the next line."""


@runtime_checkable
class ContextReader(Protocol):
    """A reader that needs the preceding lines; `LogReader` keeps the context up to date."""

    context: LineContext


# Specific formats come before general ones.
READERS: tuple[Callable[[], Reader], ...] = (
    JsonLines,
    PythonDicts,
    Ultralytics,
    Lightning,
    ProgressBars,
    Keras,
    Summaries,
    Tables,
    CheckpointMessages,
    Pairs,
    AnnouncedTotals,
)
