"""Send only the changed cells of a partial update, not everything from the widget's left edge on.

Textual crops what it sends at the right end only (since its pull request #2318; no issue is known). A row whose last
column changes each second would be sent as a whole each second. A test fails when Textual changes the method.
"""

from __future__ import annotations

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate  # the method to patch is private to Textual

# SHA-256 of the source of the method that is replaced, for the test that watches it.
REPLACED_SOURCE = "4c1cdb567e0b8354bd70cb129da78a42314c39eb8aacd5bf21951cbd5aaba0ef"


def render_segments(self: ChopsUpdate, console: Console) -> str:
    """Return the escape sequences of an update, each span cropped at both ends."""
    sequences: list[str] = []
    last_y = self.spans[-1][0]
    for y, x1, x2 in self.spans:
        for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
            if strip is None or x >= x2 or end <= x1:
                continue
            start, stop = max(x, x1), min(end, x2)
            cropped = strip.crop(start - x, stop - x) if start > x or stop < end else strip
            sequences.append(Control.move_to(start, y).segment.text)
            sequences.append(cropped.render(console))
        if y != last_y:
            sequences.append("\n")
    return "".join(sequences)


def apply() -> None:
    """Patch Textual in this process."""
    ChopsUpdate.render_segments = render_segments  # type: ignore[method-assign]
