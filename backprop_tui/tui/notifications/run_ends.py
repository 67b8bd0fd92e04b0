"""Finds the runs that ended between two snapshots, and describes each end in a line."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.formatting import from_iso
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.presentation.causes import cause_text
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.states import is_problem
from backprop_tui.tui.snapshot import Snapshot

_MAX_NAME_LETTERS = 60


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """The end of a run, with sanitised text; `at` is the time as in the record."""

    run_id: str
    name: str
    status: str
    word: str
    cause: str
    at: str
    is_problem: bool
    stopped_by_user: bool

    @property
    def words(self) -> str:
        """One line: `vit failed: CUDA out of memory`."""
        name = self.name if len(self.name) <= _MAX_NAME_LETTERS else self.name[: _MAX_NAME_LETTERS - 1] + "…"
        return f"{name} {self.word}" + (f": {self.cause}" if self.cause else "")


def ends_between(before: Snapshot, after: Snapshot) -> tuple[RunEnd, ...]:
    """The ends in between, oldest first; a run that is not in `before` counts if it ended after that."""
    statuses = {run.id: run.status for run in before.runs}
    ended = [run for run in after.runs if run.status in ENDED and _is_new_end(run, statuses.get(run.id), before)]
    return tuple(map(_describe_end, reversed(ended)))


def _is_new_end(run: KnownRun, status_before: Status | None, before: Snapshot) -> bool:
    if status_before is not None:
        return status_before not in ENDED
    try:
        ended_at = from_iso(run.record.get("ended_at"))
    except (TypeError, ValueError):
        return False
    return ended_at is not None and ended_at > before.moment.wall


def _describe_end(run: KnownRun) -> RunEnd:
    return RunEnd(
        run_id=run.id,
        name=sanitize(str(run.record["name"])),
        status=run.status.value,
        word=run.status.value,
        cause=cause_text(run.record) if is_problem(run) else "",
        at=str(run.record.get("ended_at")),
        is_problem=is_problem(run),
        stopped_by_user=run.status is Status.STOPPED and not is_problem(run),
    )


def summarize_ends(ends: Sequence[RunEnd], most: int) -> list[str]:
    """A line for each end, but at most `most` lines: then the last one counts the remaining ends."""
    if len(ends) <= most:
        return [end.words for end in ends]
    remaining = ends[most - 1 :]
    problems = sum(end.is_problem for end in remaining)
    more = f"{len(remaining)} more runs ended"
    return [*(end.words for end in ends[: most - 1]), f"{more}, {problems} with problems" if problems else more]
