"""Finds checkpoints where a run writes, by name or pattern, once they are complete."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from backprop_tui.checkpoints.soundness import (
    TRAINER_STATE,
    Sound,
    Unsound,
    checkpoint_exists,
    is_container,
    is_written_since,
    judge,
    shard_of_earlier_save,
    size_and_change_time,
)
from backprop_tui.domain.checkpoint_names import NamedCheckpoint, parse_candidate, parse_checkpoint_name
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Checkpoint
from backprop_tui.processes.regular_files import read_regular
from backprop_tui.runner.outputs.files import OutputFile
from backprop_tui.runner.outputs.locations import PathPatterns, contains

MAX_PENDING = 100
MAX_UNCERTAIN = 20  # of them with unknown names
MAX_REPORTED = 1_000
COARSE_NS = 10_000_000  # of the times in the record, and of the clock of a file system
BUSY_SCANS = 4  # a file that changed in this many scans in a row is saved continuously
MAX_WRITING_SECONDS = 600.0  # a directory that changes for longer contains more than a checkpoint, such as a log
STATE_HEAD_BYTES = 64 << 10  # the keys are sorted, so the step comes before the long history
_GLOBAL_STEP = re.compile(rb'"global_step"\s*:\s*(\d{1,18})\b')


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFound:
    """A checkpoint that stopped changing; `unsound` says what is wrong with it, None if nothing is.

    `modified_at` is the wall-clock time of its last byte. `written_seconds` is how long it was seen changing, None
    if it was complete when first seen. `number` may be a step; see `NamedCheckpoint`. `announced_as`: the path that
    was announced, if that is a link to this one. Not `is_certain`: it is a checkpoint only if it is saved repeatedly.
    """

    path: str
    size_bytes: int
    modified_at: float
    step: int | None = None
    epoch: int | None = None
    number: int | None = None
    unsound: str | None = None
    written_seconds: float | None = None
    announced_as: str | None = None
    is_certain: bool = True


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointGone:
    """A checkpoint of the record was deleted, nearly always by the script itself."""

    path: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointUnwritten:
    """What is at an announced path was there before this attempt, which has not written it."""

    path: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointsPending:
    """The checkpoints that were still being written at the end of a scan."""

    paths: frozenset[str]


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointContested:
    """A checkpoint of the record may have been written by other runs, all of which are given."""

    path: str
    runs: tuple[str, ...]


Sighting = CheckpointFound | CheckpointGone | CheckpointUnwritten | CheckpointContested | CheckpointsPending


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    named: NamedCheckpoint
    size_bytes: int
    modified_ns: int
    first_seen: float  # monotonic
    changes: int = 0  # between two scans, so it was seen being written
    announced_as: str | None = None
    is_old: bool = False  # written before this attempt


class CheckpointScanner:
    """Checks the files that `OutputFiles` finds; keeps track of incomplete checkpoints until they are complete."""

    def __init__(
        self,
        patterns: PathPatterns,
        known: Callable[[], Sequence[Checkpoint]],
        *,
        since_ns: int = 0,
    ) -> None:
        """`known` returns the checkpoints of the record; it is called from another thread than the guardian's.

        What was last written before `since_ns` (wall-clock time) is not of this attempt.
        """
        self._patterns = patterns
        self._known = known
        self.since_ns = since_ns
        self._cwd = patterns.cwd
        self._pending: dict[str, _Pending] = {}
        self._reported: dict[str, tuple[int, int]] = {}
        self._announced: deque[str] = deque(maxlen=MAX_PENDING)
        self.is_any_pending = False  # whether a checkpoint was still being written at the last scan
        self._folders_with_regular: set[str] = set()  # folders with a checkpoint that is not a "best" one

    @property
    def pending_paths(self) -> AbstractSet[str]:
        """What is being watched until it is complete."""
        return self._pending.keys()

    def expect(self, path: str) -> None:
        """Adds a checkpoint that the script announced, wherever it is. May be called from any thread."""
        self._announced.append(path)

    def scan(self, files: Iterable[OutputFile], now: float, *, at_end: bool = False) -> Iterator[Sighting]:
        """Checks changed files at the monotonic time `now`; blocks as long as the file systems do.

        `at_end`: the script has ended, so checkpoints that are incomplete now are reported as unsound.
        """
        yield from self._find_gone()
        self._add_announced(now)
        self._add_pending(files, now)
        for path in sorted(self._pending, key=lambda path: self._pending[path].modified_ns):
            yield from self._check(path, now, at_end=at_end)
        being_written = frozenset(
            path
            for path, pending in self._pending.items()
            if pending.size_bytes >= 0 and not pending.is_old and now - pending.first_seen < MAX_WRITING_SECONDS
        )
        self.is_any_pending = bool(being_written)
        yield CheckpointsPending(paths=being_written)

    def _find_gone(self) -> Iterator[CheckpointGone]:
        for checkpoint in self._known():
            for path in {checkpoint.path, *checkpoint.candidates} if checkpoint.written else ():
                if _is_gone(path):
                    self._reported.pop(path, None)
                    yield CheckpointGone(path=path)

    def _add_announced(self, now: float) -> None:
        while self._announced:
            announced = self._announced.popleft()
            path = self._resolve(announced)
            self._add(parse_checkpoint_name(path, is_folder=os.path.isdir(path)), now, announced_as=announced)

    def _resolve(self, path: str) -> str:
        """The path without links: `latest -> step_100` is what it points to. Below the cwd it is as seen from there."""
        real, real_cwd = os.path.realpath(path), os.path.realpath(self._cwd)
        return self._cwd + real[len(real_cwd) :] if contains(real_cwd, real) else real

    def _add_pending(self, files: Iterable[OutputFile], now: float) -> None:
        """Tracks files that are named like a checkpoint or may be one; "best" ones only if there are no others."""
        checkpoints: dict[str, NamedCheckpoint] = {}
        for file in files:
            matching_path = self._patterns.path_of(file.path)
            named = parse_checkpoint_name(matching_path) if matching_path else parse_candidate(file.path, top=self._cwd)
            if named is not None:
                checkpoints.setdefault(named.path, named)
        regular = [path for path, named in checkpoints.items() if not named.is_best and named.is_certain]
        self._folders_with_regular.update(map(os.path.dirname, regular))
        for path, named in sorted(checkpoints.items(), key=lambda item: not item[1].is_certain):
            if not named.is_best or os.path.dirname(path) not in self._folders_with_regular:
                self._add(named, now)

    def _add(self, named: NamedCheckpoint, now: float, *, announced_as: str | None = None) -> None:
        pending = self._pending.get(named.path)
        if pending is not None:
            if announced_as is not None:
                self._pending[named.path] = replace(pending, named=named, announced_as=announced_as)
            return
        uncertain = 0 if named.is_certain else sum(not other.named.is_certain for other in self._pending.values())
        if len(self._pending) < MAX_PENDING and uncertain < MAX_UNCERTAIN:
            self._pending[named.path] = _Pending(
                named=named, size_bytes=-1, modified_ns=-1, first_seen=now, announced_as=announced_as
            )

    def _check(self, path: str, now: float, *, at_end: bool) -> Iterator[Sighting]:
        pending = self._pending[path]
        state = size_bytes, modified_ns = size_and_change_time(path)
        if size_bytes is None:
            # Renamed or removed; but an announced checkpoint may not have been written yet.
            if at_end or pending.size_bytes >= 0 or now - pending.first_seen > MAX_WRITING_SECONDS:
                del self._pending[path]
            return
        if self._reported.get(path) == state:
            del self._pending[path]  # a file of it was touched, but nothing has changed
            return
        is_unchanged = state == (pending.size_bytes, pending.modified_ns)
        changes = pending.changes + (not is_unchanged and pending.size_bytes >= 0)
        self._pending[path] = pending = replace(
            pending, size_bytes=size_bytes, modified_ns=modified_ns, changes=changes, is_old=False
        )
        if changes == 0 and not is_written_since(path, self.since_ns):
            yield from self._reject_old(path, now, at_end=at_end)
        elif is_unchanged or at_end or changes >= BUSY_SCANS:
            yield from self._judge(path, now, at_end=at_end, is_settled=is_unchanged or at_end)

    def _reject_old(self, path: str, now: float, *, at_end: bool) -> Iterator[CheckpointUnwritten]:
        """What an earlier training left is no checkpoint of this one; it may still be written."""
        pending = self._pending[path]
        if at_end or pending.announced_as is None or now - pending.first_seen > MAX_WRITING_SECONDS:
            del self._pending[path]
        else:
            self._pending[path] = replace(pending, is_old=True)
        if pending.announced_as is not None:
            yield CheckpointUnwritten(path=pending.announced_as)

    def _judge(self, path: str, now: float, *, at_end: bool, is_settled: bool) -> Iterator[CheckpointFound]:
        """Reports a checkpoint that is complete. One that is saved continuously must be complete now."""
        pending = self._pending[path]
        state = pending.size_bytes, pending.modified_ns
        if not pending.named.is_certain and not is_container(path):
            del self._pending[path]
            self._report(path, state)
            return
        verdict = self._verdict(path)
        if not is_settled and not (verdict and is_container(path) and size_and_change_time(path) == state):
            return
        if isinstance(verdict, Unsound) and not at_end and not _is_abandoned(pending, now):
            return  # partly written, and the writer has paused
        del self._pending[path]
        self._report(path, state)
        unsound = verdict.reason if isinstance(verdict, Unsound) else None
        yield _sighting_of(pending, *state, unsound, now)

    def _verdict(self, path: str) -> Sound | Unsound:
        """Judges it as it is now; a directory that is saved again must have all its shards from one save."""
        earlier = next((saved.saved_at for saved in self._known() if saved.path == path and saved.written), None)
        shard = None if earlier is None else shard_of_earlier_save(path, round(earlier * 1e9) + COARSE_NS)
        if shard is not None:
            return Unsound(reason=f"mixes two saves: {shard} is of the one before")
        return judge(path)

    def _report(self, path: str, state: tuple[int, int]) -> None:
        self._reported.pop(path, None)
        self._reported[path] = state
        if len(self._reported) > MAX_REPORTED:
            del self._reported[next(iter(self._reported))]


def _sighting_of(
    pending: _Pending, size_bytes: int, modified_ns: int, unsound: str | None, now: float
) -> CheckpointFound:
    named = pending.named
    modified_at = modified_ns / 1e9
    since_modified = time.time() - modified_at
    step = _trainer_step(named.path)
    return CheckpointFound(
        path=named.path,
        size_bytes=size_bytes,
        modified_at=modified_at,
        step=named.step if step is None else step,
        epoch=named.epoch,
        number=named.number,
        unsound=unsound,
        written_seconds=max(0.0, now - pending.first_seen - since_modified) if pending.changes else None,
        announced_as=pending.announced_as,
        is_certain=named.is_certain,
    )


def _is_abandoned(pending: _Pending, now: float) -> bool:
    """Whether an incomplete checkpoint is no longer being written, or only seems incomplete to our check."""
    unchanged_seconds = time.time() - pending.modified_ns / 1e9
    return min(now - pending.first_seen, unchanged_seconds) > MAX_WRITING_SECONDS


def _is_gone(path: str) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return not checkpoint_exists(path)
    except (OSError, ValueError):
        pass  # unknown
    return False


def _trainer_step(path: str) -> int | None:
    """The step in the state file of a Hugging Face checkpoint; None for other checkpoints."""
    try:
        head = read_regular(os.path.join(path, TRAINER_STATE), STATE_HEAD_BYTES, cut=True)
        match = _GLOBAL_STEP.search(head)
    except OSError:
        return None
    return None if match is None else int(match[1])
