"""Renders only what is due and can be seen, and a key's first paint at once; upstream knows no issue for any of it.

Nothing is painted while a slow line has not taken the frames before: it would show each state of the past in turn.

For any change Textual renders every row of every widget of a container that the change touches, also the containers and
the screen behind them. Only then does it choose the rows that it sends. For each row it looks for borders, padding and
effects, which most widgets have none of.

Textual paints at most sixty times a second: what a key changes waits for up to 17 ms when something was painted before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from textual import events
from textual._compositor import Compositor
from textual._styles_cache import StylesCache
from textual.css.styles import RenderStyles
from textual.geometry import Region, Size
from textual.screen import Screen
from textual.strip import Strip

from backprop_tui.tui.textual_patches import Patch

_WAITING_WRITES = 3  # of a frame: the start and the end of a synchronized update, and what it shows

_wait_for_timer = Screen._on_idle  # noqa: SLF001
_paint = Screen._on_timer_update  # noqa: SLF001
_render_with_surroundings = StylesCache.render_line
_AROUND = ("outline_top", "outline_right", "outline_bottom", "outline_left", "hatch", "tint", "text_opacity")

Chop = dict[int, Strip | None]  # the strips of a row by the column in which they begin


def render_chops(
    self: Compositor, crop: Region, is_rendered_line: Callable[[int], bool]
) -> Sequence[Mapping[int, Strip | None]]:
    """Renders the widgets from front to back, each in the rows that are due and in which others left cells free."""
    cuts = self.cuts
    chops: list[Chop] = [dict.fromkeys(row_cuts[:-1]) for row_cuts in cuts]
    due = [y for y in crop.line_range if is_rendered_line(y)]
    for widget, (region, clip) in self.visible_widgets.items():
        shown = region.intersection(clip)
        if not shown.overlaps(crop):
            continue
        left, right = shown.column_span
        rows = [y for y in due if shown.y <= y < shown.bottom and _has_gap(chops[y], left, right)]
        for first, count in _ranges(rows):
            lines = Region(left - region.x, first - region.y, shown.width, count)
            for y, strip in enumerate(widget.render_lines(lines), first):
                _fill(chops[y], [cut for cut in cuts[y] if left <= cut <= right], strip)
    return chops


def _has_gap(chop: Chop, left: int, right: int) -> bool:
    return any(strip is None and left <= x < right for x, strip in chop.items())


def _fill(chop: Chop, cuts: Sequence[int], strip: Strip) -> None:
    """Puts the parts of a strip where nothing is in front of them."""
    parts = strip.divide([cut - cuts[0] for cut in cuts[1:]])
    for cut, part in zip(cuts, parts, strict=False):
        if chop[cut] is None:
            chop[cut] = part


def _ranges(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first row and the number of rows of each part without a gap."""
    for _, part in groupby(enumerate(rows), lambda numbered: numbered[1] - numbered[0]):
        consecutive = [row for _, row in part]
        yield consecutive[0], len(consecutive)


async def paint_key(self: Any, event: events.Idle) -> None:  # noqa: ANN401 - a screen, private attributes included
    """Paints what a key changed as soon as the screen has nothing else to do, and what follows in one piece."""
    app = self.app
    is_due = self._layout_required or self._scroll_required or self._repaint_required or self._dirty_widgets
    is_key = getattr(app, "has_unpainted_key", False) and not is_behind(app)
    if is_due and is_key and self.is_current and not app._batch_count:  # noqa: SLF001
        self._on_timer_update()
        event.prevent_default()
    else:
        await _wait_for_timer(self, event)


def paint_when_sent(self: Any) -> None:  # noqa: ANN401 - a screen, private attributes included
    """Paints; if the terminal is behind, the timer asks again."""
    if not is_behind(self.app):
        _paint(self)


def is_behind(app: Any) -> bool:  # noqa: ANN401 - an application, private attributes included
    """Whether a whole frame is waiting for the terminal to take another one."""
    thread = getattr(app._driver, "_writer_thread", None)  # noqa: SLF001
    return thread is not None and thread._queue.qsize() >= _WAITING_WRITES  # noqa: SLF001


def render_line(
    self: StylesCache,
    styles: RenderStyles,
    y: int,
    size: Size,
    content_size: Size,
    *others: Any,  # noqa: ANN401 - of many types
) -> Strip:
    """Takes a row as the widget renders it where nothing is around it: to find that out again and again is slow."""
    _, base_background, background, render_content_line, _, _, opacity, *_ = others
    if content_size != size or y >= size.height or opacity != 1.0 or styles.has_any_rules(*_AROUND):
        return _render_with_surroundings(self, styles, y, size, content_size, *others)
    strip: Strip = render_content_line(y)
    if strip.cell_length == size.width:
        return strip
    inner, _ = self.get_inner_outer(base_background, background)
    return strip.adjust_cell_length(size.width, inner.rich_style)


PATCHES = (
    Patch(
        owner=Screen,
        name="_on_idle",
        replacement=paint_key,
        builds_on=("_on_timer_update", "_on_update", "_on_layout"),
        sha256="6b091708dea7a7567ff055791b783d20931d87fff4595aa2cbd2e66cf2ae71eb",
    ),
    Patch(
        owner=Screen,
        name="_on_timer_update",
        replacement=paint_when_sent,
        sha256="421401660de142c5973004a369930228e8b242dcf4921b17e5aff7cad51990da",
    ),
    Patch(
        owner=Compositor,
        name="_render_chops",
        replacement=render_chops,
        builds_on=("_get_renders", "render_partial_update"),
        sha256="7d19b8788828215fdb8a9455adc541458172a4af93a6d445e5939b9c73b39890",
    ),
    Patch(
        owner=StylesCache,
        name="render_line",
        replacement=render_line,
        builds_on=("render", "render_widget"),
        sha256="a885d39ee64dad452f9d73d20359c1865d2dace075b2a99f1ca0c67bbea791d8",
    ),
)
