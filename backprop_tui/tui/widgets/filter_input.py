"""The field for the filter of the runs: says what it accepts, and completes with tab."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation.filter_names import Names, names_of_runs
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_filter import RunFilter, accepted, completions
from backprop_tui.tui.textual_patches.line_input import LineInput

_MAX_SHOWN = 12


class FilterInput(LineInput):
    """Knows the arguments and metrics of the runs, so that it can name them."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(placeholder="words, all of which have to match", id=id, compact=True)
        self.select_on_focus = False  # letters may arrive before the focus; the next one would replace them
        self._count = -1
        self._names = Names()
        self._accepted = ""
        self._offered: list[str] = []  # what tab puts in turn, from what was typed on

    def names_of(self, runs: Sequence[KnownRun]) -> None:
        """Takes the names from the runs, unless it did already."""
        if len(runs) != self._count:
            self._count, self._names = len(runs), names_of_runs(runs)
            self._accepted = accepted(self._names)

    def hint(self, filter_: RunFilter, *, matched: bool) -> tuple[str, bool]:
        """What the last word may become, else what is wrong, else what is accepted; and whether something is wrong.

        `matched`: whether any run matches the filter.
        """
        matching = completions(self.value, self._names)
        word = self.value.rpartition(" ")[2]
        if word in self._offered or (matching and (len(matching) <= _MAX_SHOWN or "=" in word)):
            offered = self._offered if word in self._offered else matching
            more = f" and {len(offered) - _MAX_SHOWN} more" if len(offered) > _MAX_SHOWN else ""
            return f"tab completes: {' '.join(map(sanitize, offered[:_MAX_SHOWN]))}{more}", False
        unknown = filter_.unknown(self._names)
        if unknown is not None:
            return sanitize(unknown), True
        if filter_.open:
            expected = self._names.expected(filter_.open[-1])
            return sanitize(filter_.mistakes[-1] + (f"; {expected}" if expected else "")), True
        if filter_.mistakes:
            return sanitize(filter_.mistakes[0]), True
        doubt = filter_.doubt(self._names, matched=matched)
        if doubt is not None:
            return sanitize(doubt), True
        return f"all words have to match: {self._accepted}", False

    async def on_key(self, event: events.Key) -> None:
        """Tab completes the last word as far as all that it may become agree, then puts one after the other."""
        if event.key != "tab":
            self._offered = []
            return
        event.stop()
        event.prevent_default()
        before, _, word = self.value.rpartition(" ")
        matching = completions(self.value, self._names)
        common = _common_start(matching)
        if word in self._offered:
            common = self._offered[(self._offered.index(word) + 1) % len(self._offered)]
        elif len(common) <= len(word) and matching:
            self._offered, common = matching, matching[0]
        if common and common != word:
            self.value = " ".join(filter(None, [before, common]))
            self.cursor_position = len(self.value)


def _common_start(texts: Sequence[str]) -> str:
    """What all of the texts begin with."""
    if not texts:
        return ""
    first, last = min(texts), max(texts)  # what these two share, all between them share
    return first[
        : next((index for index, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), len(first))
    ]
