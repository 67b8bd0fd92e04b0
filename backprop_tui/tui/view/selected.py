"""The selected run: its heading, everything that is known of it, and what happened to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backprop_tui.domain.status import ENDED, Status
from backprop_tui.domain.times import from_iso
from backprop_tui.domain.values import dataclass
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import KnownRun, Snapshot
from backprop_tui.tui.view.cards import Card, card_of
from backprop_tui.tui.view.causes import exit_words
from backprop_tui.tui.view.details import Section, sections_of
from backprop_tui.tui.view.events import EventRow, event_rows
from backprop_tui.tui.view.run_row import slice_words
from backprop_tui.tui.view.states import is_problem, word_of
from backprop_tui.tui.view.waiting import WaitingView, waiting_view
from backprop_tui.tui.wording import durations


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedRunView:
    """`right` stands at the right end of the heading; `log_path` None where it has not started."""

    run_id: str
    name: str
    word: str
    right: str
    log_path: str | None
    live: bool  # more may be written to its log
    failed: bool  # its log opens at the error
    card: Card | None
    waiting: WaitingView | None
    sections: Sequence[Section]
    events: Sequence[EventRow]


def selected_run_view(snapshot: Snapshot, run_id: str | None) -> SelectedRunView | None:
    """None where no run of that id is known."""
    run = snapshot.find(run_id)
    if run is None:
        return None
    opened = snapshot.opened
    return SelectedRunView(
        run_id=run.id,
        name=neutral(str(run.record["name"])),
        word=word_of(run),
        right=" · ".join(_right(run)),
        log_path=run.record.get("log_path") if run.record["attempts"] else None,
        live=run.status not in ENDED,
        failed=is_problem(run),
        card=card_of(run, snapshot),
        waiting=waiting_view(run, snapshot),
        sections=tuple(sections_of(run, snapshot)),
        events=event_rows(opened.events, snapshot) if opened is not None and opened.run_id == run.id else (),
    )


def _right(run: KnownRun) -> Iterator[str]:
    yield run.id
    if run.status in ENDED:
        ended = from_iso(run.record.get("ended_at"))
        code = exit_words(run.record).replace("exit code", "exit")
        if ended is not None:
            yield f"ended {durations.clock(ended)}" + (f", {code}" if code else "")
        return
    if run.status is Status.QUEUED:
        queued = from_iso(run.record.get("created_at"))
        yield "queued" if queued is None else f"queued {durations.clock(queued)}"
        return
    yield f"attempt {len(run.record['attempts'])}"
    if run.run is not None and slice_words(run.run):
        yield f"slice {slice_words(run.run).replace('/', ' of ')}"
