"""Chooses the checkpoint a run resumes from: the newest intact one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backprop_tui.checkpoints.soundness import Unsound, judged_newest_first
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Checkpoint


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The chosen `checkpoint` (None: none is intact), all as `judged`, and the `damaged` ones, newest first."""

    checkpoint: Checkpoint | None
    judged: tuple[Checkpoint, ...]
    damaged: tuple[tuple[str, str], ...] = ()  # path, and what is wrong: "is cut short"

    def message(self) -> str:
        """Returns the end of a sentence about the resume; empty if the newest checkpoint was chosen."""
        if not self.damaged:
            return ""
        problems = "; ".join(f"{path} {reason}" for path, reason in self.damaged)
        if self.checkpoint is None:
            return f": {problems}; no intact checkpoint is left"
        return f": {problems}; resuming from {self.checkpoint.path}"


def choose(checkpoints: Sequence[Checkpoint]) -> Choice:
    """Judges from the newest to the first intact checkpoint; `checkpoints` are oldest first."""
    verdicts: dict[str, bool] = {}
    damaged = []
    chosen = None
    for checkpoint, verdict in judged_newest_first(checkpoints):
        verdicts[checkpoint.path] = bool(verdict)
        if not isinstance(verdict, Unsound):
            chosen = checkpoint
            break
        damaged.append((checkpoint.path, verdict.reason))
    judged = tuple(replace(item, sound=verdicts.get(item.path, item.sound)) for item in checkpoints)
    return Choice(checkpoint=chosen, judged=judged, damaged=tuple(damaged))


def choose_without_disk(checkpoints: Sequence[Checkpoint]) -> Choice:
    """Chooses without the disk, which does not respond: the newest that was found intact when it was saved."""
    intact = [checkpoint for checkpoint in checkpoints if checkpoint.sound]
    return Choice(checkpoint=intact[-1] if intact else None, judged=tuple(checkpoints))
