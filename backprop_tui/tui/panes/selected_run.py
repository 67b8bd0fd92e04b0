"""The pane of the selected run: its heading with the tabs, its card, details and events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backprop_tui.domain.formatting import from_iso
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.presentation import durations
from backprop_tui.presentation.causes import exit_text
from backprop_tui.presentation.known_run import KnownRun, slice_text
from backprop_tui.presentation.run_details import DetailSection, detail_sections
from backprop_tui.presentation.states import is_problem
from backprop_tui.tui.cells import clip
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import heading, width_of
from backprop_tui.tui.panes.card import Card, card_of
from backprop_tui.tui.panes.events import EventRow, event_rows
from backprop_tui.tui.panes.waiting import WaitingView, waiting_view
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.tokens import Line, Piece, Token

TABS = ("Log", "Metrics", "Resources", "Details", "Events")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SelectedRunView:
    """`facts` stand at the right end of the heading; `log_path` is None before the first start."""

    run_id: str
    name: str
    facts: str
    log_path: str | None
    live: bool  # its log may still grow
    failed: bool  # its log opens at the error
    card: Card | None
    waiting: WaitingView | None
    sections: Sequence[DetailSection]
    events: Sequence[EventRow]


def selected_run_view(snapshot: Snapshot, run_id: str | None) -> SelectedRunView | None:
    """None where there is no such run."""
    run = snapshot.find(run_id)
    if run is None:
        return None
    opened = snapshot.opened
    models = {} if snapshot.sample is None else {gpu.uuid: gpu.name for gpu in snapshot.sample.readings.gpus}
    return SelectedRunView(
        run_id=run.id,
        name=sanitize(str(run.record["name"])),
        facts=" · ".join(_facts(run)),
        log_path=run.record.get("log_path") if run.record["attempts"] else None,
        live=run.status not in ENDED,
        failed=is_problem(run),
        card=card_of(run, snapshot),
        waiting=waiting_view(run, snapshot),
        sections=tuple(detail_sections(run, snapshot.moment, gpu_models=models)),
        events=event_rows(opened.events, snapshot) if opened is not None and opened.run_id == run.id else (),
    )


def _facts(run: KnownRun) -> Iterator[str]:
    yield run.id
    if run.status in ENDED:
        ended = from_iso(run.record.get("ended_at"))
        exited = exit_text(run.record).replace("exit code", "exit")
        if ended is not None:
            yield f"ended {durations.clock(ended)}" + (f", {exited}" if exited else "")
        return
    if run.status is Status.QUEUED:
        queued = from_iso(run.record.get("created_at"))
        yield "queued" if queued is None else f"queued {durations.clock(queued)}"
        return
    yield f"attempt {len(run.record['attempts'])}"
    if run.run is not None and slice_text(run.run):
        yield f"slice {slice_text(run.run).replace('/', ' of ')}"


def draw_selected_heading(view: SelectedRunView | None, tab: int, width: int, glyphs: Glyphs, *, focused: bool) -> Line:
    """The name, the tabs and, where there is room, id, attempt and slice; `tab` counts from 0."""
    if view is None:
        return heading([(2, [Piece("No run selected", Token.MUTED)])], width, glyphs, focused=focused)
    name = [Piece(_clipped_name(view, width, glyphs), Token.ACCENT if focused else Token.FG, bold=True)]
    tabs = _tabs(tab, short=width < 70)
    tabs_at = 2 + width_of(name) + 2
    parts = [(2, name), (tabs_at, tabs)]
    facts = [Piece(clip(view.facts, 48, glyphs), Token.MUTED)]
    facts_at = width - width_of(facts) - 2
    if facts_at > tabs_at + width_of(tabs) + 2:
        parts.append((facts_at, facts))
    return heading(parts, width, glyphs, focused=focused)


def _clipped_name(view: SelectedRunView, width: int, glyphs: Glyphs) -> str:
    return clip(view.name, max(8, width // 4), glyphs)


def _tabs(chosen: int, *, short: bool) -> list[Piece]:
    pieces: list[Piece] = []
    for place, title in enumerate(TABS):
        if place == chosen:
            pieces.append(Piece(f" {place + 1} {title} ", Token.FG, bold=True, chosen=True))
        elif short:
            pieces.append(Piece(f" {place + 1} ", Token.ACCENT))
        else:
            pieces += [Piece(f" {place + 1}", Token.ACCENT), Piece(f" {title} ", Token.MUTED)]
    return pieces


def tab_at(view: SelectedRunView | None, tab: int, column: int, width: int, glyphs: Glyphs) -> int | None:
    """The tab at a column of the heading."""
    if view is None:
        return None
    at = 2 + len(_clipped_name(view, width, glyphs)) + 2
    for place, title in enumerate(TABS):
        size = len(title) + 4 if place == tab or width >= 70 else 3
        if at <= column < at + size:
            return place
        at += size
    return None
