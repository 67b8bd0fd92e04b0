"""Interfaces of the readers, each of which parses one log format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

from backprop_tui.readers.events import ParsedEvent


class Reader(Protocol):
    """Parses one log format. There is one instance per log, so it may keep (bounded) state between lines.

    It must not raise: a line it does not understand yields no events.
    """

    @property
    def marks(self) -> Sequence[bytes]:
        """Byte strings of which every line of the format contains at least one; `read` gets no other lines."""

    def read(self, line: str, offset: int) -> Iterable[ParsedEvent]:
        """Parse a line, given as a terminal would display it; `offset` is the byte position just after it."""


@runtime_checkable
class StatefulReader(Protocol):
    """A reader with state that another process needs in order to continue reading the log."""

    def memory(self) -> Any:  # noqa: ANN401 - any JSON value
        """The state as a JSON value."""

    def remember(self, memory: Any) -> None:  # noqa: ANN401 - as above
        """Restore a state that `memory` returned.

        Raises:
            TypeError, ValueError: the value is not such a state.
        """
