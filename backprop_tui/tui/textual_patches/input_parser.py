"""Drop late answers of the terminal from the input, and replay keys that were typed before Textual listened.

Textual turns an escape sequence that it does not know into key presses, letter by letter (since its pull request #570;
no issue is known): a late answer to our question for the background colour would press a dozen keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from textual._xterm_parser import XTermParser  # the parser is private to Textual
from textual.drivers import linux_driver
from textual.message import Message

_ANSWERS = re.compile("\x1b\\]11;[^\x07\x1b]*(?:\x07|\x1b\\\\)|\x1b\\[\\?[0-9;]*c")
# The start of an answer. No key sends it, so the parser can wait for the rest.
_PARTIAL_ANSWER = re.compile("(?:\x1b\\]11;[^\x07\x1b]*\x1b?|\x1b\\[\\?[0-9;]*)$")


class FilteredParser(XTermParser):
    """Parser of terminal input; `typed` is handled as if it were the first input."""

    typed = ""

    def __init__(self, debug: bool = False) -> None:  # noqa: FBT001, FBT002 - Textual's signature
        super().__init__(debug)
        self._partial = ""
        self._early, FilteredParser.typed = FilteredParser.typed, ""

    def tick(self) -> Iterable[Message]:
        """Yield the keys typed before the start, then what Textual has pending."""
        if self._early:
            early, self._early = self._early, ""
            yield from self.feed(early)
        yield from super().tick()

    def feed(self, data: str) -> Iterable[Message]:
        """Yield the messages of everything but answers; empty data means the end of the input."""
        if data:
            data = _ANSWERS.sub("", self._early + self._partial + data)
            self._early = ""
            match = _PARTIAL_ANSWER.search(data)
            self._partial = match[0] if match else ""
            data = data[: len(data) - len(self._partial)]
            if not data:
                return
        yield from super().feed(data)


def apply(typed: bytes) -> None:
    """Patch Textual in this process; `typed` are the bytes typed before the start."""
    FilteredParser.typed = typed.decode(errors="ignore")
    linux_driver.XTermParser = FilteredParser  # type: ignore[attr-defined]
