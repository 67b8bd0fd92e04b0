"""Checkpoints that appear where a run writes: known by name or pattern, and believed once they are whole and still."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from backprop_tui.domain.checkpoint_names import NamedCheckpoint, named_checkpoint, named_exactly
from backprop_tui.domain.run import Checkpoint
from backprop_tui.domain.values import dataclass
from backprop_tui.runner.checkpoint_patterns import CheckpointPatterns
from backprop_tui.runner.written_files import OutputFile
from backprop_tui.store.checkpoint_folders import TRAINER_STATE
from backprop_tui.store.checkpoints import Unsound, is_sound, saved_files

MOST_PENDING = 100
MOST_TOLD = 1_000
LONGEST_WRITING_SECONDS = 600.0  # a directory that changes for longer holds more than a checkpoint, such as a log
STATE_HEAD_BYTES = 64 << 10  # its keys are sorted, so that the step stands before the long history
_GLOBAL_STEP = re.compile(rb'"global_step"\s*:\s*(\d{1,18})\b')


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFound:
    """A checkpoint that stopped changing; `unsound` says what is wrong with it, None where nothing is.

    `modified_at` is the wall time of its last byte. `written_seconds` is how long it was seen to change, None where it
    was whole when it was first seen. `number` may be a step; see `NamedCheckpoint`.
    """

    path: str
    size_bytes: int
    modified_at: float
    step: int | None = None
    number: int | None = None
    unsound: str | None = None
    written_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointGone:
    """A checkpoint of the record that somebody deleted, nearly always the script itself."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointsPending:
    """Which checkpoints were still being written at the end of a look."""

    paths: frozenset[str]


Sighting = CheckpointFound | CheckpointGone | CheckpointsPending


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    named: NamedCheckpoint
    size_bytes: int
    modified_ns: int
    first_seen: float  # monotonic
    changed: bool = False  # between two looks, so that it was seen being written


class CheckpointScanner:
    """Judges what `OutputFiles` finds; keeps what is not whole yet until it is."""

    def __init__(self, patterns: CheckpointPatterns, known: Callable[[], Sequence[Checkpoint]]) -> None:
        """`known` gives the checkpoints of the record; it is called from another thread than the guardian's."""
        self._patterns = patterns
        self._known = known
        self._pending: dict[str, _Pending] = {}
        self._told: dict[str, tuple[int, int]] = {}
        self._announced: deque[str] = deque(maxlen=MOST_PENDING)
        self.is_any_pending = False  # whether the last look saw one that is not whole and still yet
        self._with_others: set[str] = set()  # directories where one lies that is not kept for its score

    def _being_written(self, now: float) -> Iterator[str]:
        for path, pending in self._pending.items():
            if pending.size_bytes >= 0 and now - pending.first_seen < LONGEST_WRITING_SECONDS:
                yield path

    def expect(self, path: str) -> None:
        """The script announced this checkpoint: it is judged wherever it lies. Any thread may call it."""
        self._announced.append(path)

    def take(self, files: Iterable[OutputFile], now: float) -> Iterator[Sighting]:
        """What a look at the files found, at the monotonic time `now`; may block as long as the file systems do."""
        yield from self._gone()
        self._notice(files, now)
        for path in list(self._pending):
            yield from self._judge(path, now, at_end=False)
        being_written = frozenset(self._being_written(now))
        self.is_any_pending = bool(being_written)
        yield CheckpointsPending(paths=being_written)

    def take_last(self, files: Iterable[OutputFile], now: float) -> Iterator[Sighting]:
        """As `take`, when nobody writes any more: what is not whole now will never be, and is told as it is."""
        yield from self._gone()
        self._notice(files, now)
        for path in sorted(self._pending, key=lambda path: self._pending[path].modified_ns):
            yield from self._judge(path, now, at_end=True)

    def _gone(self) -> Iterator[CheckpointGone]:
        for checkpoint in self._known():
            # One that nobody has measured was announced before it was written.
            if checkpoint.size_bytes is not None and _is_gone(checkpoint.path):
                self._told.pop(checkpoint.path, None)
                yield CheckpointGone(path=checkpoint.path)

    def _notice(self, files: Iterable[OutputFile], now: float) -> None:
        found: dict[str, NamedCheckpoint] = {}
        while self._announced:
            path = self._announced.popleft()
            found[path] = named_exactly(path)
        for file in files:
            path_of_pattern = self._patterns.checkpoint_of(file.path)
            named = named_exactly(path_of_pattern) if path_of_pattern else named_checkpoint(file.path)
            if named is not None:
                found.setdefault(named.path, named)
        self._with_others.update(os.path.dirname(path) for path, named in found.items() if not named.is_best)
        for path, named in found.items():
            is_needed = not named.is_best or os.path.dirname(path) not in self._with_others
            if is_needed and path not in self._pending and len(self._pending) < MOST_PENDING:
                self._pending[path] = _Pending(named=named, size_bytes=-1, modified_ns=-1, first_seen=now)

    def _judge(self, path: str, now: float, *, at_end: bool) -> Iterator[CheckpointFound]:
        pending = self._pending[path]
        size_bytes, modified_ns = saved_files(path)
        if size_bytes is None:
            # Renamed or removed; but what was announced may still be to come.
            if at_end or pending.size_bytes >= 0 or now - pending.first_seen > LONGEST_WRITING_SECONDS:
                del self._pending[path]
            return
        is_still = (size_bytes, modified_ns) == (pending.size_bytes, pending.modified_ns)
        if self._told.get(path) == (size_bytes, modified_ns):
            del self._pending[path]  # a file of it was touched, no more
            return
        if not is_still and not at_end:
            was_seen = pending.size_bytes >= 0
            self._pending[path] = _Pending(
                named=pending.named,
                size_bytes=size_bytes,
                modified_ns=modified_ns,
                first_seen=pending.first_seen,
                changed=pending.changed or was_seen,
            )
            return
        verdict = is_sound(path)
        if isinstance(verdict, Unsound) and not at_end and not _is_given_up(pending, now):
            return  # half of it is written, and the writer pauses
        del self._pending[path]
        self._told.pop(path, None)
        self._told[path] = (size_bytes, modified_ns)
        if len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]
        yield _found(pending, size_bytes, modified_ns, verdict.reason if isinstance(verdict, Unsound) else None, now)


def _found(pending: _Pending, size_bytes: int, modified_ns: int, unsound: str | None, now: float) -> CheckpointFound:
    named = pending.named
    modified_at = modified_ns / 1e9
    since_modified = time.time() - modified_at
    step = _step_of_trainer(named.path)
    return CheckpointFound(
        path=named.path,
        size_bytes=size_bytes,
        modified_at=modified_at,
        step=named.step if step is None else step,
        number=named.number,
        unsound=unsound,
        written_seconds=max(0.0, now - pending.first_seen - since_modified) if pending.changed else None,
    )


def _is_given_up(pending: _Pending, now: float) -> bool:
    """Whether nobody writes any more what is not whole: it was left so, or is of a kind that is judged wrongly."""
    still_seconds = time.time() - pending.modified_ns / 1e9
    return min(now - pending.first_seen, still_seconds) > LONGEST_WRITING_SECONDS


def _is_gone(path: str) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False  # cannot be said
    return False


def _step_of_trainer(path: str) -> int | None:
    """The step in a Hugging Face checkpoint's own state; None where it is none."""
    try:
        with open(os.path.join(path, TRAINER_STATE), "rb", buffering=0) as file:
            found = _GLOBAL_STEP.search(file.read(STATE_HEAD_BYTES) or b"")
    except OSError:
        return None
    return None if found is None else int(found[1])
