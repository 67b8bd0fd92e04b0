"""Reads messages that say where a checkpoint is saved: accelerate, the Hugging Face Trainer, nanoGPT and others.

`Saving current state to accout`, `Saving model checkpoint to out/checkpoint-10`, `saving checkpoint to out`.
"""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.readers.events import CheckpointSaved
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.prefixes import prefix_end
from backprop_tui.readers.printed_numbers import parse_count

_MESSAGE = lazy_compile(
    r"(?:=> |\*+ ?)?"
    r"(?:(?:[Ss]aving|[Ss]aved|SAVING|SAVED|[Ww]rote) (?:the )?(?:model |training |new )?"
    r"(?:checkpoint|current state|state|model)"
    r"|[Cc]heckpoint (?:was )?(?:saved|written)|[Mm]odel (?:checkpoint )?(?:was )?saved)"
    r"(?: at (?:step|iteration|epoch) \d{1,15})?"
    r"(?:(?: to:?| at| in| as|:) +|(?= +['\"`])) *"
    r"(?P<quote>['\"`]?)(?P<path>[^\s'\"`]{1,4096})(?P=quote)\.{0,3}\s*$"
)
_STEP = lazy_compile(r"checkpoint[-_](\d{1,15})/?$")
# These words instead of a path mean that the sentence is about saving in general.
_NOT_PATHS = frozenset(("disk", "file", "s3", "cache", "memory", "gpu", "cpu", "ram", "stdout", "path", "none", "null"))


class CheckpointMessages:
    marks = (b"heckpoint ", b"ving ", b"ved ", b"SAV")

    def read(self, line: str, offset: int) -> Iterator[CheckpointSaved]:
        match = _MESSAGE.match(line, prefix_end(line))
        if match is None or match["path"].lower().rstrip(".") in _NOT_PATHS:
            return
        path = match["path"].rstrip(".") or match["path"]
        step = _STEP.search(path)
        yield CheckpointSaved(offset=offset, path=path, step=None if step is None else parse_count(step[1]))
