"""Reads sentences that say where a checkpoint goes: those of accelerate, the Hugging Face Trainer, nanoGPT and others.

`Saving current state to accout`, `Saving model checkpoint to out/checkpoint-10`, `saving checkpoint to out`.
"""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.readers.lazily import compiled
from backprop_tui.readers.prefixes import after_prefix
from backprop_tui.readers.printed_numbers import counted
from backprop_tui.readers.values import CheckpointSaved

_SENTENCE = compiled(
    r"(?:=> |\*+ ?)?"
    r"(?:(?:[Ss]aving|[Ss]aved|SAVING|SAVED|[Ww]rote) (?:the )?(?:model |training |new )?"
    r"(?:checkpoint|current state|state|model)"
    r"|[Cc]heckpoint (?:was )?(?:saved|written)|[Mm]odel (?:checkpoint )?(?:was )?saved)"
    r"(?: at (?:step|iteration|epoch) \d{1,15})?"
    r"(?:(?: to:?| at| in| as|:) +|(?= +['\"`])) *"
    r"(?P<quote>['\"`]?)(?P<path>[^\s'\"`]{1,4096})(?P=quote)\.{0,3}\s*$"
)
_STEP = compiled(r"checkpoint[-_](\d{1,15})/?$")
# Where somebody only talks of saving.
_NO_PATHS = frozenset(("disk", "file", "s3", "cache", "memory", "gpu", "cpu", "ram", "stdout", "path", "none", "null"))


class CheckpointMessages:
    """The reader of such sentences; keeps nothing between lines."""

    marks = (b"heckpoint ", b"ving ", b"ved ", b"SAV")

    def read(self, line: str, offset: int) -> Iterator[CheckpointSaved]:
        """The checkpoint that the whole line is about."""
        found = _SENTENCE.match(line, after_prefix(line))
        if found is None or found["path"].lower().rstrip(".") in _NO_PATHS:
            return
        path = found["path"] if found["path"].rstrip(".") == "" else found["path"].rstrip(".")
        step = _STEP.search(path)
        yield CheckpointSaved(offset=offset, path=path, step=None if step is None else counted(step[1]))
