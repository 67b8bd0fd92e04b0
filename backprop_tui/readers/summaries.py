"""Reads the summary at the end of a training: a block with a name and a value on each line.

`***** eval metrics *****` of the Hugging Face examples, `---` before `val_bpb: 0.997900`, and the table of
`Trainer.test` in Lightning.
"""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.readers.events import Progress, ReaderEvent
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.line_context import LineContext
from backprop_tui.readers.training_keys import is_counter, is_known_metric, numeric_metrics

MAX_LINE_CHARS = 300

_HEADING = lazy_compile(r"\*{3,} \w{1,20} metrics \*{3,}\s*$|[\s│┃]*(?:Test|Validate) metric\s.*DataLoader 0")
_PAIR = lazy_compile(
    r"[\s│┃]*([A-Za-z_][\w@/.-]{0,100})\s*(?:[:=│┃]|\s{2})\s*"
    r"([-+]?(?:[\d.]{1,40}(?:e[-+]?\d{1,4})?|nan|inf))(?: ?%)?[\s│┃]*$"
)
_PAIR_OF_ANOTHER_KIND = lazy_compile(r"\s*[A-Za-z_][\w@/.-]{0,100}\s*[:=]\s*\S{1,80}$")
_RULE = lazy_compile(r"[─━╇┡┩│┃┏┓┳└┘┴ ]+$")
_CONSTANTS = frozenset(("depth", "dim", "width", "seed", "n_layer", "n_head", "n_embd"))


class Summaries:
    """Remembers whether a block is open."""

    tag = "Summaries"
    marks = (b"---", b"metrics *****", b"DataLoader 0")

    def __init__(self) -> None:
        self.context = LineContext()
        self._is_open = False
        self._needs_metric = False  # what follows `---` may also be a configuration

    @property
    def follows(self) -> bool:
        """Whether the next line may belong to the block, whatever bytes it has."""
        return self._is_open

    def read(self, line: str, offset: int) -> Iterator[ReaderEvent]:
        if len(line) > MAX_LINE_CHARS:
            self._is_open = False
        elif _HEADING.match(line) is not None:
            self._is_open, self._needs_metric = True, False
        elif line.strip() == "---":
            self._is_open = self._needs_metric = self.context.has_begun
        elif self._is_open and (pair := _PAIR.match(line)) is not None:
            if self._needs_metric and not is_known_metric(pair[1]):
                self._is_open = False
                return
            self._needs_metric = False
            if is_counter(pair[1]):
                return
            metrics = numeric_metrics({pair[1]: pair[2]}, exclude=_CONSTANTS)
            if metrics:
                yield Progress(offset=offset, metrics=metrics)
        elif self._needs_metric or (_PAIR_OF_ANOTHER_KIND.match(line) is None and _RULE.match(line) is None):
            self._is_open = False

    def memory(self) -> list[bool]:
        return [self._is_open, self._needs_metric]

    def remember(self, memory: list[bool]) -> None:
        self._is_open, self._needs_metric = map(bool, memory)
