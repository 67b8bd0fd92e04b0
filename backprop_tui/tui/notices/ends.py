"""Which runs ended between two looks, and what is said of each."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.domain.times import from_iso
from backprop_tui.domain.values import dataclass
from backprop_tui.presentation.causes import cause_text
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.states import is_problem
from backprop_tui.tui.snapshot import Snapshot

_NAME_LETTERS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """All text is neutralised. `at` is as it stands in the record; `was_asked` that a person stopped it."""

    run_id: str
    name: str
    status: str
    word: str
    cause: str
    at: str
    is_problem: bool
    was_asked: bool

    @property
    def words(self) -> str:
        """One line: `vit failed: CUDA out of memory`."""
        name = self.name if len(self.name) <= _NAME_LETTERS else self.name[: _NAME_LETTERS - 1] + "…"
        return f"{name} {self.word}" + (f": {self.cause}" if self.cause else "")


def ends_between(before: Snapshot, after: Snapshot) -> tuple[End, ...]:
    """The oldest first; of a run that is new to us the end counts if it came since `before`."""
    known = {one.id: one.status for one in before.runs}
    found = [one for one in after.runs if one.status in ENDED and _is_new(one, known.get(one.id), before)]
    return tuple(map(_end, reversed(found)))


def _is_new(run: KnownRun, status: Status | None, before: Snapshot) -> bool:
    if status is not None:
        return status not in ENDED
    try:
        ended = from_iso(run.record.get("ended_at"))
    except (TypeError, ValueError):
        return False
    return ended is not None and ended > before.moment.wall


def _end(run: KnownRun) -> End:
    return End(
        run_id=run.id,
        name=sanitize(str(run.record["name"])),
        status=run.status.value,
        word=run.status.value,
        cause=cause_text(run.record) if is_problem(run) else "",
        at=str(run.record.get("ended_at")),
        is_problem=is_problem(run),
        was_asked=run.status is Status.STOPPED and not is_problem(run),
    )


def summarised(ends: Sequence[End], most: int) -> list[str]:
    """A line for each, at most so many: then the last one counts the others."""
    if len(ends) <= most:
        return [one.words for one in ends]
    failed = sum(one.is_problem for one in ends[most - 1 :])
    more = f"{len(ends) - most + 1} more runs ended"
    return [*(one.words for one in ends[: most - 1]), f"{more}, {failed} badly" if failed else more]
