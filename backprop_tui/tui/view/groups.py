"""The row of a group: what it is, how its members stand, which of them is best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from backprop_tui.domain.metric_names import less_is_better, main_loss
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import KnownRun
from backprop_tui.tui.view.run_row import GroupFacts, RunRow
from backprop_tui.tui.view.states import word_of
from backprop_tui.tui.view.tokens import Token
from backprop_tui.tui.wording import numbers

GROUP = "group:"
_SEPARATORS = ":, "


def members_of(row_id: str, runs: Iterable[KnownRun]) -> list[KnownRun]:
    """The runs of the group whose own row that is; empty where it is another row."""
    if not row_id.startswith(GROUP):
        return []
    return [one for one in runs if one.record.get("group") == row_id.removeprefix(GROUP)]


def group_row(group: str, unit: Sequence[KnownRun], *, folded: bool) -> RunRow:
    """Its members stand below it where it is not folded."""
    words = [_counted_as(word_of(one)) for one in unit]
    order = ("running", "paused", "waiting", "done", "timeboxed", "stopped", "failed")
    counts = tuple((word, words.count(word)) for word in order if word in words)
    best = best_of(unit)
    return RunRow(
        run_id=GROUP + group,
        word="group",
        token=Token.FG,
        name=neutral(group),
        group=GroupFacts(
            size=len(unit),
            counts=counts,
            best="" if best is None else best_words(best),
            best_name="" if best is None else neutral(_member_name(best, unit)),
            folded=folded,
        ),
    )


def _counted_as(word: str) -> str:
    merged = {"held": "waiting", "queued": "waiting", "starting": "running", "stopping": "running", "lost": "failed"}
    return merged.get(word, word)


def loss_of(run: KnownRun) -> float | None:
    """Its last loss; None where there is none that is a number."""
    metrics = run.live.metrics if run.live is not None else run.record.get("metrics") or {}
    name = main_loss([str(key) for key in metrics])
    value = None if name is None else float(metrics[name])
    return value if value is not None and math.isfinite(value) else None


def best_of(runs: Iterable[KnownRun]) -> KnownRun | None:
    """The run whose loss was ever the least, without a loss that of the best first score; None where none has one."""
    found = best_first(runs)
    return found[0] if found and _scores(found[0]) else None


def best_first(runs: Iterable[KnownRun]) -> list[KnownRun]:
    """By the same; those that have measured nothing of it last, as they came."""
    found = list(runs)
    name = _main([name for one in found for name in _scores(one)])
    if name is None:
        return found
    sign = 1.0 if less_is_better(name) else -1.0
    rated = [(sign * _scores(one)[name], one.id, one) for one in found if name in _scores(one)]
    rest = [one for one in found if name not in _scores(one)]
    return [*(one for _, _, one in sorted(rated, key=lambda each: each[:2])), *rest]


def best_words(run: KnownRun) -> str:
    """Its best loss, or score."""
    scores = _scores(run)
    name = _main(list(scores))
    return "" if name is None else numbers.metric(scores[name])


def _main(names: Sequence[str]) -> str | None:
    return main_loss(names) or next(iter(names), None)


def _scores(run: KnownRun) -> dict[str, float]:
    """The best of each metric whose name tells which way is better; the last, where a record knows no best."""
    metrics = {str(name): float(value) for name, value in (run.record.get("metrics") or {}).items()}
    last = {name: one for name, one in metrics.items() if less_is_better(name) is not None and math.isfinite(one)}
    return last | {str(name): float(one["value"]) for name, one in (run.record.get("best") or {}).items()}


def _member_name(run: KnownRun, unit: Sequence[KnownRun]) -> str:
    return member_names([str(one.record["name"]) for one in unit])[[one.id for one in unit].index(run.id)]


def member_names(names: Sequence[str]) -> list[str]:
    """Names without what all of them begin with, up to a separator."""
    first, last = min(names), max(names)  # what these two begin with, all between them do
    size = next((place for place, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), 0)
    cut = max((first.rfind(separator, 0, size) for separator in _SEPARATORS), default=-1) + 1
    return [name[cut:].replace(",", " ") or name for name in names]
