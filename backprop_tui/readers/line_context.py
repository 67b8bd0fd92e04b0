"""What a reader knows about a line besides its text."""

from __future__ import annotations

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.readers.lines import visible_text

MAX_BYTES_BEFORE = 300


@lazy_dataclass(slots=True)
class LineContext:
    """The end of the log before the line, and whether any step or epoch was read before."""

    before: bytes = b""
    has_begun: bool = False

    @property
    def previous(self) -> str:
        """The last line before that is not blank, as displayed; cut if it is long."""
        text = self.before.rstrip(b"\r\n \t")
        return visible_text(text[max(text.rfind(b"\n"), text.rfind(b"\r")) + 1 :])
