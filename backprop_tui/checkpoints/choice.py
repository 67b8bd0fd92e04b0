"""Chooses the checkpoint a run resumes from: the newest sound one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backprop_tui.checkpoints.soundness import Unsound, judged_newest_first
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Checkpoint


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The chosen `checkpoint` (None: none is sound), all checkpoints as `judged`, and the `torn` ones, newest first."""

    checkpoint: Checkpoint | None
    judged: tuple[Checkpoint, ...]
    torn: tuple[tuple[str, str], ...] = ()  # path, and what is wrong: "is cut short"

    def message(self) -> str:
        """Returns the end of a sentence about the resume; empty if the newest checkpoint was chosen."""
        if not self.torn:
            return ""
        problems = "; ".join(f"{path} {reason}" for path, reason in self.torn)
        if self.checkpoint is None:
            return f": {problems}; no sound checkpoint is left"
        return f": {problems}; resuming from {self.checkpoint.path}"


def choose(checkpoints: Sequence[Checkpoint]) -> Choice:
    """Judges from the newest to the first sound checkpoint; `checkpoints` are oldest first."""
    verdicts: dict[str, bool] = {}
    torn = []
    chosen = None
    for checkpoint, verdict in judged_newest_first(checkpoints):
        verdicts[checkpoint.path] = bool(verdict)
        if not isinstance(verdict, Unsound):
            chosen = checkpoint
            break
        torn.append((checkpoint.path, verdict.reason))
    judged = tuple(replace(item, sound=verdicts.get(item.path, item.sound)) for item in checkpoints)
    return Choice(checkpoint=chosen, judged=judged, torn=tuple(torn))


def choose_unseen(checkpoints: Sequence[Checkpoint]) -> Choice:
    """Chooses without the disk, which does not respond: the newest that was found sound when it was saved."""
    sound = [checkpoint for checkpoint in checkpoints if checkpoint.sound]
    return Choice(checkpoint=sound[-1] if sound else None, judged=tuple(checkpoints))
