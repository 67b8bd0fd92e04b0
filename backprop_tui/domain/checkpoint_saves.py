"""Groups files that were saved together into one checkpoint, and chooses the file to resume from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from posixpath import dirname

from backprop_tui.domain.checkpoint_names import NamedCheckpoint, parse_checkpoint_name
from backprop_tui.domain.run import Checkpoint

TOGETHER_SECONDS = 5.0  # between the files of one save
NUMBERED_SECONDS = 600.0  # if all have the same number: large files take long

_DIGITS = re.compile(r"\d+")
_RANK = re.compile(r"(?:rank|part|shard)[-_]?\d+|\d+[-_]of[-_]\d+", re.IGNORECASE)
_parse = lru_cache(maxsize=256)(parse_checkpoint_name)


def add_save(checkpoints: Sequence[Checkpoint], new: Checkpoint) -> tuple[Checkpoint, ...]:
    """Adds a checkpoint to its save, or as a new one; oldest first.

    A path that was recorded before was saved again.
    """
    others = [without(other, new.path) for other in checkpoints if other.path != new.path]
    save = next((other for other in reversed(others) if other.written and _is_same_save(other, new)), None)
    if save is not None:
        others.remove(save)
        new = _merge(save, new)
    return tuple(sorted([*others, new], key=lambda saved: saved.saved_at))


def without(checkpoint: Checkpoint, path: str) -> Checkpoint:
    """The checkpoint when one of its candidates was saved again or deleted."""
    if path not in checkpoint.candidates:
        return checkpoint
    candidates = tuple(candidate for candidate in checkpoint.candidates if candidate != path)
    return replace(checkpoint, candidates=candidates if len(candidates) > 1 else ())


def _is_same_save(checkpoint: Checkpoint, other: Checkpoint) -> bool:
    first, second = _parse(checkpoint.path), _parse(other.path)
    seconds = abs(checkpoint.saved_at - other.saved_at)
    pairs = ((first.step, second.step), (first.epoch, second.epoch), (first.number, second.number))
    known = [pair for pair in pairs if None not in pair]
    folders = dirname(checkpoint.path), dirname(other.path)
    if known:
        are_near = folders[0] == folders[1] or dirname(folders[0]) == dirname(folders[1])
        return are_near and all(number == another for number, another in known) and seconds <= NUMBERED_SECONDS
    is_next = checkpoint.path != other.path and _series(checkpoint.path) == _series(other.path)
    return folders[0] == folders[1] and seconds <= TOGETHER_SECONDS and not is_next


def _series(path: str) -> str:
    """What the names of successive saves have in common: ckA10.pt, ckA20.pt. Ranks of one save differ in it."""
    return _DIGITS.sub("#", _RANK.sub("", path))


def _merge(save: Checkpoint, new: Checkpoint) -> Checkpoint:
    """The save with another file of it; of equal files the model itself, then the one that is not overwritten."""
    first, second = _parse(save.path), _parse(new.path)
    if first.kind != second.kind and _rank(first)[:2] == _rank(second)[:2]:
        candidates = tuple(sorted({*(save.candidates or [save.path]), new.path}))
        return replace(new, candidates=candidates)
    if (save.sound is not False, _rank(first)) > (new.sound is not False, _rank(second)):
        return save
    return replace(new, candidates=())


def _rank(named: NamedCheckpoint) -> tuple[int, bool, bool, bool]:
    is_numbered = named.number is not None or named.epoch is not None
    return named.role, not named.kind, not named.is_best, is_numbered
