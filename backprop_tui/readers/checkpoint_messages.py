"""Reads messages that say where a checkpoint is saved: accelerate, the Hugging Face Trainer, nanoGPT and others.

`Saving current state to accout`, `Saving model checkpoint to out/checkpoint-10`,
`Saved model parameters to: a_0100.pt`, `Epoch 1 | Training checkpoint saved at checkpoint.pt`,
`[Torch] Saving out/global_step30/model_states.pt...`; and the list of kept checkpoints that timm prints after each
epoch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from backprop_tui.readers.events import CheckpointSaved
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.prefixes import prefix_end
from backprop_tui.readers.printed_numbers import parse_count

MAX_KEPT_PATHS = 20

_KIND = r"(?:checkpoints?|current state|state|model|snapshot|model parameters)"
_QUOTED_PATH = r"(?P<quote>['\"`]?)(?P<path>[^\s'\"`]{1,4096})(?P=quote)"
_FILE = (
    r"/|[^\s\d]\S{0,4096}\.[A-Za-z]\w{0,11}\.{0,3}\s*$"  # `Saved checkpoint out/step_9.json`, with no word before it
)
_MESSAGE = lazy_compile(
    r"(?:=> |\*+ ?|\[?epoch \[?\d{1,9}(?:/\d{1,9})?\]? ?[|:,-] )?"
    rf"(?:(?:successfully )?(?:saving|saved|save|wrote) (?:the )?(?:best |model |training |new )*{_KIND}"
    rf"|(?:training |model )*{_KIND} (?:was )?(?:saved|written))"
    r"(?: (?:at|from) (?:step|iteration|epoch) +(?P<step>\d{1,15}))?"
    rf"(?:(?: to:?| at| in| as|:) +|(?= +['\"`])| +(?=\S+ \(epoch )| +(?={_FILE})) *{_QUOTED_PATH}"
    r"(?:\.{0,3}\s*$| in \w{1,40} format\s*$| \(epoch \d{1,9} @ (?P<updates>\d{1,15}) updates)",
    re.IGNORECASE,
)
# Without a word that says what is saved, the name of the file has to.
_SAVING_FILE = lazy_compile(rf"(?:saving|saved)(?: to)? {_QUOTED_PATH}\s*$", re.IGNORECASE)
_CHECKPOINT_FILE = lazy_compile(r"\.(?:pt|pth|ckpt|pth\.tar|safetensors|pdparams|keras|distcp)(?:\.{1,3})?$")
_LISTED_CHECKPOINT = lazy_compile(
    r"\s*\('([^']{1,4096}\.pth(?:\.tar)?)', (?:[-+\w.]{1,40}|\w{1,20}\([-+\w.]{1,40}\))\)\s*$"
)
_STEP = lazy_compile(r"(?:checkpoint|ckpt|step|iter|model)[-_]?(\d{1,15})(?:\.\w{1,12})*/?$")
# These words instead of a path mean that the sentence is about saving in general.
_NOT_PATHS = frozenset(("disk", "file", "s3", "cache", "memory", "gpu", "cpu", "ram", "stdout", "path", "none", "null"))


class CheckpointMessages:
    """Remembers the checkpoints of timm's list, which repeats them after each epoch."""

    tag = "CheckpointMessages"
    marks = (b"point ", b"ving ", b"ved ", b"SAV", b"ve model", b".pth")

    def __init__(self) -> None:
        self._listed: list[str] = []

    def read(self, line: str, offset: int) -> Iterator[CheckpointSaved]:
        if (listed := _LISTED_CHECKPOINT.match(line)) is not None:
            if listed[1] not in self._listed:
                self._listed = [*self._listed, listed[1]][-MAX_KEPT_PATHS:]
                yield CheckpointSaved(offset=offset, path=listed[1])
            return
        start = prefix_end(line)
        match = _MESSAGE.match(line, start)
        if match is None:
            file = _SAVING_FILE.match(line, start)
            if file is not None and _CHECKPOINT_FILE.search(file["path"]):
                yield _saved(file["path"], None, offset)
        elif match["path"].lower().rstrip(".") not in _NOT_PATHS:
            yield _saved(match["path"], match["updates"] or match["step"], offset)

    def memory(self) -> list[Any]:
        return list(self._listed)

    def remember(self, memory: list[Any]) -> None:
        self._listed = [str(path) for path in memory][-MAX_KEPT_PATHS:]


def _saved(path: str, step: str | None, offset: int) -> CheckpointSaved:
    path = path.rstrip(".") or path
    in_name = _STEP.search(path)
    number = step or (None if in_name is None or "epoch" in path else in_name[1])
    return CheckpointSaved(offset=offset, path=path, step=None if number is None else parse_count(number))
