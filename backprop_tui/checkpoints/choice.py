"""Chooses the checkpoint a run resumes from: the newest intact one."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace

from backprop_tui.checkpoints.soundness import Unsound, checkpoint_exists, is_written_since, judged_newest_first
from backprop_tui.domain.checkpoint_names import FileRole, parse_checkpoint_name
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Checkpoint
from backprop_tui.domain.shared_files import runs_text

CHANGED = "was changed after the run had saved it, perhaps by another training"
SHARED = "may be of"  # another run
RECORD_SECONDS = 0.01  # records keep milliseconds
CLOCK_SECONDS = 2.0  # between the clocks of this machine and of a file system


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The chosen `checkpoint` (None: none is intact), all as `judged`, and the `damaged` ones, newest first.

    `candidates` are the files of the newest intact save if it is unknown which of them to resume from; then no
    checkpoint is chosen.
    """

    checkpoint: Checkpoint | None
    judged: tuple[Checkpoint, ...]
    damaged: tuple[tuple[str, str], ...] = ()  # path, and what is wrong: "is cut short"
    candidates: tuple[str, ...] = ()

    @property
    def path(self) -> str | None:
        return None if self.checkpoint is None else self.checkpoint.path

    def message(self) -> str:
        """Returns the end of a sentence about the resume; empty if the newest checkpoint was chosen."""
        if not self.damaged:
            return ""
        problems = "; ".join(f"{path} {reason}" for path, reason in self.damaged)
        if self.checkpoint is None:
            return f": {problems}; no intact checkpoint is left"
        return f": {problems}; resuming from {self.checkpoint.path}"

    def question(self, run_id: str) -> str | None:
        """Asks a person to choose among the candidates; None if there is nothing to ask."""
        doubts = [(path, reason) for path, reason in self.damaged if reason.startswith((CHANGED, SHARED))]
        if self.checkpoint is None and doubts:
            path, reason = doubts[0]
            command = f"backprop-tui resume {run_id} --resume-from {shlex.quote(path)}"
            return f"{path} {reason}; to go on from it nevertheless:\n  {command}"
        if not self.candidates:
            return None
        lines = [f"backprop-tui resume {run_id} --resume-from {shlex.quote(path)}" for path in self.candidates]
        return "\n  ".join((f"{self._doubt()}; choose:", *lines))

    def advice(self) -> str | None:
        """The same as one clause, for the reason of the run's end."""
        return f"{self._doubt()}; choose with resume --resume-from PATH" if self.candidates else None

    def _doubt(self) -> str:
        names = [os.path.basename(path) for path in self.candidates]
        if len(names) == 1:
            return f"{names[0]} seems to be exported weights, not the state of the training"
        return f"{', '.join(names)} were saved together, and it is unknown which one to resume from"


NO_CHOICE = Choice(checkpoint=None, judged=())


def choose(checkpoints: Sequence[Checkpoint], *, written_until: float | None = None) -> Choice:
    """Judges from the newest to the first intact checkpoint; `checkpoints` are oldest first.

    What was written later than is on record and than `written_until`, as another training in the same directory does,
    is not the run's; None: that is not checked. Nor is what other runs may have written.
    A "best" checkpoint comes after all others: the newest state of the training is preferred.
    """
    verdicts: dict[str, bool] = {}
    damaged = []
    chosen: Checkpoint | None = None
    candidates: tuple[str, ...] = ()
    usable = [checkpoint for checkpoint in checkpoints if checkpoint.written]
    ordered = sorted(usable, key=lambda checkpoint: not parse_checkpoint_name(checkpoint.path).is_best)
    for checkpoint, verdict in judged_newest_first(ordered):
        verdicts[checkpoint.path] = bool(verdict)
        if isinstance(verdict, Unsound):
            damaged.append((checkpoint.path, verdict.reason))
            continue
        if checkpoint.shared_with:
            damaged.append((checkpoint.path, f"{SHARED} {runs_text(checkpoint.shared_with)}"))
            continue
        if written_until is not None and is_written_since(checkpoint.path, _after(checkpoint, written_until)):
            damaged.append((checkpoint.path, CHANGED))
            continue
        candidates = tuple(filter(checkpoint_exists, _doubtful(checkpoint)))
        chosen = None if candidates else checkpoint
        break
    judged = tuple(
        replace(item, sound=verdicts.get(item.path, item.sound)) if item.written else item for item in checkpoints
    )
    return Choice(checkpoint=chosen, judged=judged, damaged=tuple(damaged), candidates=candidates)


def _after(checkpoint: Checkpoint, written_until: float) -> int:
    """The time (ns) from which a change is not the run's; that on record is of the same clock as that of the file."""
    return round(max(written_until + CLOCK_SECONDS, checkpoint.saved_at + RECORD_SECONDS) * 1e9)


def _doubtful(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The files that a person has to choose from: several of equal rank, or exported weights."""
    is_export = parse_checkpoint_name(checkpoint.path).role is FileRole.EXPORT
    return checkpoint.candidates or ((checkpoint.path,) if is_export else ())


def choose_without_disk(checkpoints: Sequence[Checkpoint]) -> Choice:
    """Chooses without the disk, which does not respond: the newest that was found intact when it was saved."""
    intact = [checkpoint for checkpoint in checkpoints if checkpoint.sound and checkpoint.is_usable]
    newest = intact[-1] if intact else None
    candidates = () if newest is None else _doubtful(newest)
    return Choice(checkpoint=None if candidates else newest, judged=tuple(checkpoints), candidates=candidates)
