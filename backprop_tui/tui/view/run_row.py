"""One row of the runs: the figures of a run that has some, and a sentence for one that has none."""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.live import Live
from backprop_tui.domain.metric_names import main_loss
from backprop_tui.domain.run import Run
from backprop_tui.domain.slices import is_sliced, slice_number
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.domain.values import dataclass
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import KnownRun, Moment
from backprop_tui.tui.view.sentences import Sentence, sentence_of, tail_of
from backprop_tui.tui.view.states import TOKENS, is_problem, word_of
from backprop_tui.tui.view.tokens import Token
from backprop_tui.tui.wording import durations, numbers

_HAS_FIGURES = frozenset({Status.RUNNING, Status.PAUSED, Status.STOPPING})


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFacts:
    """The figures of a group's row: its members by state word, and its best loss."""

    size: int
    counts: tuple[tuple[str, int], ...]
    best: str  # its figure
    best_name: str
    folded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """`run_id` is that of the run, or `group:` and the group's name. Shares are of 1; an empty text is left blank."""

    run_id: str
    word: str
    token: Token
    name: str
    gpu: str = ""
    waiting: bool = False  # `gpu` is its place in the queue
    figures: bool = False
    progress: float | None = None
    step: str = ""
    loss: str = ""
    loss_token: Token = Token.FG
    trend: tuple[float, ...] = ()
    timebox: float | None = None
    left: str = ""
    eta: str = ""
    eta_warns: bool = False
    saved: str = ""
    slice: str = ""
    tags: str = ""
    sentence: Sentence | None = None
    tail: str = ""
    bold: bool = False
    dim: bool = False
    member: bool = False
    marked: bool = False
    group: GroupFacts | None = None


def run_row(run: KnownRun, moment: Moment, *, name: str, unseen: bool, member: bool, marked: bool) -> RunRow:
    """The row of one run; `name` is what it is called here, `unseen` a bad end that nobody has looked at."""
    word = word_of(run)
    ended = run.status in ENDED
    row = RunRow(
        run_id=run.id,
        word=word,
        token=TOKENS.get(word, Token.FG),
        name=neutral(name),
        gpu=_gpu_words(run),
        waiting=run.status is Status.QUEUED,
        sentence=sentence_of(run, moment),
        tail=tail_of(run, moment) if ended else "",
        tags=" ".join(f"#{neutral(str(tag))}" for tag in run.record["tags"]),
        bold=unseen,
        dim=ended and not is_problem(run),
        member=member,
        marked=marked,
    )
    if run.status not in _HAS_FIGURES or run.run is None or run.live is None:
        return row
    return _with_figures(row, run, run.run, run.live, moment)


def _with_figures(row: RunRow, known: KnownRun, run: Run, live: Live, moment: Moment) -> RunRow:
    seconds = running_seconds(live, moment)
    limit = timebox_seconds(run)
    left = None if limit is None else limit - seconds
    loss = main_loss(list(live.metrics))
    value = None if loss is None else live.metrics[loss]
    eta = eta_seconds(known, live)
    warns = eta is not None and left is not None and eta > left and not is_sliced(run.spec)
    checkpoint = live.checkpoints[-1] if live.checkpoints else None
    paused = known.status is Status.PAUSED
    return replace(
        row,
        figures=live.step is not None or live.epoch is not None or loss is not None,
        progress=share_done(live),
        step=step_words(live),
        loss=numbers.metric(value) if loss is not None else "",
        loss_token=Token.BAD if value is not None and numbers.metric(value).lstrip("-") in ("NaN", "inf") else Token.FG,
        trend=known.curve.values,
        timebox=None if limit is None else min(1.0, seconds / limit),
        left=durations.left(None if left is None else max(0.0, left)),
        eta="" if paused or eta is None else durations.eta(eta) + ("!" if warns else " "),
        eta_warns=warns,
        saved="" if checkpoint is None else f"{durations.ago(moment.wall - checkpoint.saved_at)} ago",
        slice=slice_words(run),
    )


def running_seconds(live: Live, moment: Moment) -> float:
    """How long the attempt has run by now; a clock of another boot stands still."""
    if live.clock.boot_id != moment.boot_id:
        return live.clock.running_seconds
    return live.clock.at(moment.monotonic, paused=live.pause is not None).running_seconds


def step_words(live: Live) -> str:
    """`38.4k/60k`, or `ep 28/90` where the script says how many epochs there are, and not how many steps."""
    of_epochs = live.total_epochs is not None and live.total_steps is None
    if live.epoch is not None and (live.step is None or of_epochs):
        return numbers.epochs(live.epoch, live.total_epochs)
    return numbers.steps(live.step, live.total_steps) if live.step is not None else ""


def share_done(live: Live) -> float | None:
    """How much is done, of its steps or else of its epochs; None where the script does not say how many there are."""
    if live.step is not None and live.total_steps:
        return min(1.0, live.step / live.total_steps)
    if live.epoch is not None and live.total_epochs:
        return min(1.0, live.epoch / live.total_epochs)
    return None


def eta_seconds(known: KnownRun, live: Live) -> float | None:
    """When its steps will be done at the pace it has lately; where that is not known, what the script says."""
    pace = known.curve.step_seconds
    if pace is None or live.step is None or not live.total_steps:
        return live.eta_seconds
    return max(0.0, (live.total_steps - live.step) * pace)


def slice_words(run: Run) -> str:
    """`3/12`: which slice of how many, or of nobody knows how many; empty where it is not trained in slices."""
    found = slice_number(run)
    return "" if found is None else str(found)


def _gpu_words(run: KnownRun) -> str:
    if run.status is Status.QUEUED:
        return "" if run.place is None else f"#{run.place}"
    if run.status in ENDED:
        return ""
    return ranges(sorted(int(gpu["index"]) for gpu in run.record.get("gpus") or ()))


def ranges(indices: list[int]) -> str:
    """GPUs in few letters: 0, 2,3 or 4-7."""
    parts: list[str] = []
    start = 0
    for place, index in enumerate(indices):
        if place + 1 < len(indices) and indices[place + 1] == index + 1:
            continue
        first = indices[start]
        parts += [f"{first}-{index}"] if index - first >= 2 else [str(one) for one in indices[start : place + 1]]
        start = place + 1
    return ",".join(parts)
