"""Which checkpoint a run goes on from: the newest that is sound, and what was wrong with those that are newer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backprop_tui.domain.run import Checkpoint
from backprop_tui.domain.values import dataclass
from backprop_tui.store.checkpoints import Unsound, judged_newest_first


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """`checkpoint` None: none is sound. `judged` is the record with the verdicts, `torn` the bad ones, newest first."""

    checkpoint: Checkpoint | None
    judged: tuple[Checkpoint, ...]
    torn: tuple[tuple[str, str], ...] = ()  # path, and what is wrong: "is cut short"

    def words(self) -> str:
        """What is to be said when the run goes on: nothing, where it goes on from the newest."""
        if not self.torn:
            return ""
        wrong = "; ".join(f"{path} {reason}" for path, reason in self.torn)
        if self.checkpoint is None:
            return f": {wrong}; no sound checkpoint is left"
        return f": {wrong}; it goes on from {self.checkpoint.path}"


def choose(checkpoints: Sequence[Checkpoint]) -> Choice:
    """Judges from the newest down to the first that is sound; the record is oldest first."""
    verdicts: dict[str, bool] = {}
    torn = []
    chosen = None
    for checkpoint, verdict in judged_newest_first(checkpoints):
        verdicts[checkpoint.path] = bool(verdict)
        if not isinstance(verdict, Unsound):
            chosen = checkpoint
            break
        torn.append((checkpoint.path, verdict.reason))
    judged = tuple(replace(one, sound=verdicts.get(one.path, one.sound)) for one in checkpoints)
    return Choice(checkpoint=chosen, judged=judged, torn=tuple(torn))


def choose_unseen(checkpoints: Sequence[Checkpoint]) -> Choice:
    """The disk does not answer: the newest that was found sound when it was saved."""
    sound = [checkpoint for checkpoint in checkpoints if checkpoint.sound]
    return Choice(checkpoint=sound[-1] if sound else None, judged=tuple(checkpoints))
