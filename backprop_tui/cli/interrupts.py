"""Ctrl-C, counted instead of raised: once asks the runs to stop, twice kills them, a third time leaves them."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupts:
    """Counts SIGINT while entered; before and after it raises KeyboardInterrupt as ever."""

    def __init__(self) -> None:
        self.count = 0
        self._before: Any = signal.SIG_DFL

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._counted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _counted(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
