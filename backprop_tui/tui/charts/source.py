"""Where the figures of charts come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from backprop_tui.tui.charts.figures import RunFigures


class ChartSource(Protocol):
    """Never reads in the thread that paints."""

    async def read(self, run_ids: Sequence[str]) -> list[RunFigures]:
        """The figures of each of these runs as they are now, in this order."""

    async def export(self, run_id: str, path: str) -> str:
        """Writes all metrics of a run as CSV to `path`, or one numbered after it where that exists; where it is.

        Raises:
            OSError: it could not be written.
        """

    def close(self) -> None:
        """Nothing is read any more."""


class NoCharts:
    """Where there are no files: no run has figures."""

    async def read(self, run_ids: Sequence[str]) -> list[RunFigures]:
        """Nothing of each."""
        from backprop_tui.tui.charts.figures import RunFigures

        return [RunFigures(run_id=one) for one in run_ids]

    async def export(self, run_id: str, path: str) -> str:
        """There is nothing to write.

        Raises:
            FileNotFoundError: always.
        """
        raise FileNotFoundError(2, "this run has no metrics", path)

    def close(self) -> None:
        """There is nothing to close."""
