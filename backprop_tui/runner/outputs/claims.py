"""What is not provably of a run: checkpoints that others may have written, and files that nobody owns for certain."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from backprop_tui.checkpoints.soundness import size_and_change_time
from backprop_tui.domain.checkpoint_names import parse_candidate, parse_checkpoint_name
from backprop_tui.domain.run import Checkpoint, Run, SharedDirectory
from backprop_tui.runner.outputs.checkpoints import CheckpointContested
from backprop_tui.runner.outputs.files import OutputFiles
from backprop_tui.runner.outputs.locations import contains, named_folders
from backprop_tui.runner.outputs.ownership import SAME_SAVE_NS, DirectoryNeighbours

UNCLEAR_SCANS = 4  # before a possible checkpoint of unknown owner is reported: another run may record it as its own
CONTESTED_SCANS = 2  # before a checkpoint that was changed counts as changed by another run
MAX_SHARED_FILES = 5  # that are recorded

_File = tuple[str, int]  # a possible checkpoint, and the time of its last change (ns)


class Claims:
    """Compares what one attempt has with what the other runs in its directories have; used by the scanning thread."""

    def __init__(
        self, run: Run, files: OutputFiles, neighbours: DirectoryNeighbours, step: Callable[[], int | None]
    ) -> None:
        """`step` returns the step that the run has reached."""
        self._run = run
        self._files = files
        self._neighbours = neighbours
        self._step = step
        self._unclear: dict[_File, int] = {}  # how many scans each has been unclear
        self._changed: dict[_File, int] = {}  # the same of recorded checkpoints that were changed

    def changed_alone(self, known: Sequence[Checkpoint]) -> Iterator[str]:
        """The recorded checkpoints that were changed while no other run could have done it."""
        for saved in known:
            changed_ns = _changed_ns(saved)
            if changed_ns is not None and not self._files.others_at(changed_ns, saved.path):
                yield saved.path

    def contested(
        self, own: Mapping[str, Checkpoint], pending: AbstractSet[str], *, is_last: bool
    ) -> list[CheckpointContested]:
        """The checkpoints on record that others have on record too, or changed since; not those `pending`."""
        changed: dict[_File, int] = {}
        contested = []
        for path, saved in own.items():
            runs = self._rivals(saved)
            changed_ns = None if path in pending else _changed_ns(saved)
            if changed_ns is not None:
                changed[path, changed_ns] = self._changed.get((path, changed_ns), 0) + 1
                if changed[path, changed_ns] >= (1 if is_last else CONTESTED_SCANS):
                    runs |= set(self._files.others_at(changed_ns, path))
            if runs - set(saved.shared_with):
                contested.append(CheckpointContested(path=path, runs=tuple(sorted({*saved.shared_with, *runs}))))
        self._changed = changed
        return contested

    def _rivals(self, saved: Checkpoint) -> set[str]:
        """The runs that have the same path on record, unless only this run can have written it the last time."""
        saved_ns = round(saved.saved_at * 1e9)
        others = self._files.others_at(saved_ns, saved.path) if saved.written else ()
        if not others or self._files.is_proven(saved.path, saved_ns):
            return set()
        return {run.id for run in self._neighbours.records_of(others) if _has_on_record(run, saved.path)}

    def unowned(self, own: Collection[Checkpoint], *, is_last: bool) -> SharedDirectory | None:
        """The possible checkpoints that are of no run for certain, if more evidence is unlikely.

        A run that has checkpoints in a directory of its own does not miss those of other directories.
        """
        own_folders = {os.path.dirname(saved.path) for saved in own if saved.written}
        files: dict[_File, Sequence[str]] = {
            (saved.path, round(saved.saved_at * 1e9)): saved.shared_with for saved in own if saved.shared_with
        }
        for file in self._lasting(1 if is_last else UNCLEAR_SCANS):
            if own_folders and os.path.dirname(file[0]) not in own_folders:
                continue
            others = self._files.others_at(file[1], file[0])
            if others and not self._has_owner(file, own, others):
                files[file] = others
        return _shared_directory(dict(sorted(files.items(), key=lambda item: item[0][1])))

    def _lasting(self, scans: int) -> list[_File]:
        """The possible checkpoints that have been undecided in so many scans."""
        unclear: dict[_File, int] = {}
        for path, changed_ns in self._files.undecided().items():
            named = parse_candidate(path, top=self._run.spec.cwd)
            if named is not None:
                unclear[named.path, changed_ns] = self._unclear.get((named.path, changed_ns), 0) + 1
        self._unclear = unclear
        return [file for file, count in unclear.items() if count >= scans]

    def _has_owner(self, file: _File, own: Collection[Checkpoint], others: Sequence[str]) -> bool:
        """Whether it is on record as that of this run or of another one, and the record may be believed."""
        if any(_covers(saved, *file) for saved in own):
            return True
        records = self._neighbours.records_of(others)
        owners = [run for run in records if any(_covers(saved, *file) for saved in run.checkpoints)]
        # A run that has saved nothing of its own may have written what another one of its kind took for its own.
        has_own = any(saved.written for saved in own)
        return any(has_own or not self._may_have_written(file[0], owner) for owner in owners)

    def _may_have_written(self, path: str, owner: Run) -> bool:
        step, named = self._step(), parse_checkpoint_name(path)
        if step is None or (named.step is not None and named.step > step):
            return False
        names_folder = any(contains(folder, path) for folder in named_folders(self._run.spec))
        return names_folder or _script_of(owner) == _script_of(self._run)


def _script_of(run: Run) -> Sequence[str]:
    return (run.spec.script,) if run.spec.script is not None else run.spec.command[:2]


def _changed_ns(saved: Checkpoint) -> int | None:
    """When the file of a recorded checkpoint was last changed, if that is later than on record; else None."""
    if not saved.written:
        return None
    size_bytes, changed_ns = size_and_change_time(saved.path)
    return changed_ns if size_bytes is not None and changed_ns > saved.saved_at * 1e9 + SAME_SAVE_NS else None


def _has_on_record(run: Run, path: str) -> bool:
    return any(path in (saved.path, *saved.candidates) for saved in run.checkpoints)


def _covers(checkpoint: Checkpoint, path: str, changed_ns: int) -> bool:
    """Whether a possible checkpoint, as it was at that time, is a recorded one of a single run."""
    is_recorded = checkpoint.written and path in (checkpoint.path, *checkpoint.candidates)
    return is_recorded and not checkpoint.shared_with and changed_ns <= checkpoint.saved_at * 1e9 + SAME_SAVE_NS


def _shared_directory(unowned: Mapping[_File, Sequence[str]]) -> SharedDirectory | None:
    """The directory of the newest checkpoint without an owner; each is given with the runs that may have written it."""
    if not unowned:
        return None
    folder = os.path.dirname(list(unowned)[-1][0])
    files = {path: runs for (path, _), runs in unowned.items() if os.path.dirname(path) == folder}
    runs = sorted({run_id for others in files.values() for run_id in others})
    return SharedDirectory(folder=folder, runs=tuple(runs), files=tuple(files)[-MAX_SHARED_FILES:])
