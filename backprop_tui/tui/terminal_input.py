"""A patch of Textual 8.2.8: answers of the terminal that come late are no keys, and keys typed early are not lost.

Textual makes keys of sequences that it does not know, letter by letter: an answer to the question for the background
would press a dozen of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from textual._xterm_parser import XTermParser  # the patch is for what is behind the public interface
from textual.drivers import linux_driver
from textual.message import Message

_ANSWERS = re.compile("\x1b\\]11;[^\x07\x1b]*(?:\x07|\x1b\\\\)|\x1b\\[\\?[0-9;]*c")
# No key sends these beginnings, so that what follows can be waited for.
_BEGUN = re.compile("(?:\x1b\\]11;[^\x07\x1b]*\x1b?|\x1b\\[\\?[0-9;]*)$")


class FilteredParser(XTermParser):
    """Of what the terminal sends; `typed` is taken as if it were sent first."""

    typed = ""

    def __init__(self, debug: bool = False) -> None:  # noqa: FBT001, FBT002 - as it is called
        super().__init__(debug)
        self._begun = ""
        self._early, FilteredParser.typed = FilteredParser.typed, ""

    def tick(self) -> Iterable[Message]:
        """What was typed before anybody listened, then what is due."""
        if self._early:
            early, self._early = self._early, ""
            yield from self.feed(early)
        yield from super().tick()

    def feed(self, data: str) -> Iterable[Message]:
        """Messages of everything but answers; no data means that the end was reached."""
        if data:
            data = _ANSWERS.sub("", self._early + self._begun + data)
            self._early = ""
            begun = _BEGUN.search(data)
            self._begun = begun[0] if begun else ""
            data = data[: len(data) - len(self._begun)]
            if not data:
                return
        yield from super().feed(data)


def apply(typed: bytes) -> None:
    """From now on, in this process; `typed` is what was typed before."""
    FilteredParser.typed = typed.decode(errors="ignore")
    linux_driver.XTermParser = FilteredParser  # type: ignore[attr-defined]
