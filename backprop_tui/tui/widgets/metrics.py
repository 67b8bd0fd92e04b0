"""The Metrics tab."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.message import Message

from backprop_tui.tui.view.tokens import Piece, Token
from backprop_tui.tui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from backprop_tui.tui.charts.metrics_view import MetricsView


class MetricsTab(Sheet):
    """Charts and a table; what moves in another tab's text moves the chosen metric here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,left", "cursor(-1)", "cursor left", show=False, id="cursor_left"),
        Binding("l,right", "cursor(1)", "cursor right", show=False, id="cursor_right"),
    ]
    view: MetricsView | None = None

    class Moved(Message):
        """The cursor in the charts is to move so many columns."""

        def __init__(self, columns: int) -> None:
            super().__init__()
            self.columns = columns

    class Chosen(Message):
        """Another metric is wanted large."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def show_view(self, view: MetricsView | None) -> None:
        """Paints what changed."""
        self.view = view
        self.paint()

    def action_cursor(self, columns: int) -> None:
        """Reads values further left or right."""
        self.post_message(self.Moved(columns))

    def move(self, rows: int) -> None:
        """The metric so many rows on."""
        names = [row.name for row in self.view.rows] if self.view is not None else []
        chosen = [row.chosen for row in self.view.rows] if self.view is not None else []
        if names:
            place = chosen.index(True) if True in chosen else 0
            self.post_message(self.Chosen(names[max(0, min(place + rows, len(names) - 1))]))

    def move_to(self, place: int) -> None:
        """The metric in a row."""
        self.move(place - next((at for at, row in enumerate(self.view.rows) if row.chosen), 0) if self.view else 0)

    def page(self, share: float) -> None:
        """A few metrics on."""
        self.move(3 if share > 0 else -3)

    def paint(self) -> None:
        """Paints what changed."""
        width, height = self.size
        if width <= 0 or height <= 0:
            return
        if self.view is None:
            self.show([(Piece(" no figures are known", Token.MUTED),)])
            return
        from backprop_tui.tui.charts.metrics_tab import draw_metrics  # with the first figures

        self.show(draw_metrics(self.view, width, height, self.glyphs))

    @on(events.Resize)
    def _metrics_resized(self) -> None:
        self.paint()
