"""What a reader of one format is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

from backprop_tui.readers.values import Printed


class Reader(Protocol):
    """Reads one format; made anew for each log, so it may keep what earlier lines said, within bounds.

    It must raise on no line: what it does not understand gives nothing.
    """

    @property
    def marks(self) -> Sequence[bytes]:
        """Byte strings of which every line of the format holds at least one; other lines are never shown to it."""

    def read(self, line: str, offset: int) -> Iterable[Printed]:
        """What a line says; it comes as a terminal would show it, and `offset` is the byte just after it."""


@runtime_checkable
class Remembering(Protocol):
    """A reader that keeps something between lines, which the next process that reads the log must know."""

    def memory(self) -> Any:  # noqa: ANN401 - whatever JSON can hold
        """Everything it keeps."""

    def remember(self, memory: Any) -> None:  # noqa: ANN401 - as above
        """Becomes what another one was.

        Raises:
            TypeError, ValueError: that is no memory of one.
        """
