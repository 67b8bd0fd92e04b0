"""The table of a group in words and numbers, the same in the terminal and in the dashboard."""

from __future__ import annotations

import math
from collections.abc import Callable

from backprop_tui.domain.objective import best_words, meaning
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.spread import Difference, Spread, Verdict
from backprop_tui.presentation import numbers
from backprop_tui.presentation.group_table import GroupSetting, GroupTable, Standing, is_seed
from backprop_tui.presentation.run_facts import settings_of

BASELINE = "baseline"
_MAX_DECIMALS = 6


def heading_text(table: GroupTable) -> str:
    """`best first by val_loss, lower is better`, or why no setting is the best; and how unequally far runs are."""
    if table.problem is not None or table.objective is None:
        return f"no best: {table.problem}"
    uneven = f", {table.uneven}" if table.uneven else ""
    return f"best first by {sanitize(table.objective.metric)}, {meaning(table.objective)}{uneven}"


def repetitions(table: GroupTable) -> str:
    """What the runs of a row are: `seeds`, or `runs` if some of them have the same seed."""
    seeds = [parameter.name for parameter in table.folded if is_seed(parameter)]
    for row in table.rows:
        distinct = {tuple(map(settings_of(member.record).get, seeds)) for member in row.members}
        if len(distinct) < len(row.members):
            return "runs"
    return "seeds" if seeds else "runs"


def metric_title(table: GroupTable) -> str:
    """`val_loss best`, `loss smoothed best`; `last` if it is unknown which direction is better."""
    if table.metric is None:
        return "metric"
    is_judged = table.objective is not None and table.objective.direction is not None
    return f"{sanitize(table.metric)} {best_words(table.metric) if is_judged else 'last'}"


def setting_text(table: GroupTable, row: GroupSetting) -> str:
    """`lr=1e-2 wd=0.1`."""
    pairs = (f"{parameter.name}={value}" for parameter, value in zip(table.parameters, row.values, strict=True))
    return sanitize(" ".join(pairs)) or "all runs"


def in_words(standing: Standing, count: int) -> str:
    return f"{count} {standing}"


def count_text(row: GroupSetting, described: Callable[[Standing, int], str] = in_words) -> str:
    """`4/4`: the runs in the mean of all; then the others: `3/4 1 failed`."""
    counted = 0 if row.spread is None else row.spread.count
    others = [standing for standing in Standing if standing is not Standing.FINISHED and row.count(standing)]
    return " ".join([f"{counted}/{len(row.members)}", *(described(other, row.count(other)) for other in others)])


def _count_words(table: GroupTable, row: GroupSetting) -> str:
    """`4/4 seeds`; `1/3 seeds, 1 running, 1 waiting`."""
    counted, *_ = count_text(row).split(" ")
    others = [standing for standing in Standing if standing is not Standing.FINISHED and row.count(standing)]
    named = f"{counted} {repetitions(table)}"
    return ", ".join([named, *(in_words(other, row.count(other)) for other in others)])


def _running_text(row: GroupSetting) -> str:
    """`2 running`: the runs in a provisional mean; `2 of 3 running, 1 stopped` if there are others."""
    counted = 0 if row.spread is None else row.spread.count
    running = row.count(Standing.RUNNING)
    others = [standing for standing in Standing if standing is not Standing.RUNNING and row.count(standing)]
    texts = [in_words(Standing.RUNNING, running), *(in_words(other, row.count(other)) for other in others)]
    return ", ".join([texts[0] if counted == running else f"{counted} of {texts[0]}", *texts[1:]])


def spread_title(table: GroupTable) -> str:
    return f"spread of {repetitions(table)}"


def spread_text(spread: Spread | None, *, provisional: bool = False) -> str:
    """`0.0453 ±0.0099`, with two digits of the deviation; `~` before the mean of runs that have not ended."""
    if spread is None:
        return numbers.NOTHING
    mark = "~" if provisional else ""
    if spread.deviation is None:
        return mark + numbers.metric(spread.mean)
    decimals = _decimals(spread)
    if decimals is None:
        return f"{mark}{numbers.metric(spread.mean)} ±{numbers.metric(spread.deviation)}"
    return f"{mark}{spread.mean:.{decimals}f} ±{spread.deviation:.{decimals}f}"


def mean_text(row: GroupSetting) -> str:
    """The mean of a row with its deviation; `uneven steps` if its runs have none because they are not equally far."""
    return "uneven steps" if row.is_uneven else spread_text(row.spread, provisional=row.provisional)


def _decimals(spread: Spread) -> int | None:
    """The decimals that show two digits of the deviation; None if figures of four digits are shorter."""
    if not spread.deviation or not math.isfinite(spread.deviation) or abs(spread.mean) >= 1e5:
        return None
    decimals = max(0, 1 - math.floor(math.log10(spread.deviation)))
    return decimals if decimals <= _MAX_DECIMALS else None


def step_text(row: GroupSetting) -> str:
    """`528`, or `224-528` if the runs of the row did not get equally far."""
    if row.steps is None:
        return numbers.NOTHING
    least, most = row.steps
    return numbers.count(most) if least == most else f"{numbers.compact_count(least)}-{numbers.compact_count(most)}"


def difference_text(row: GroupSetting) -> str:
    """`-0.0220`, `baseline` in its own row, `-` if it cannot be compared."""
    if row.is_baseline:
        return BASELINE
    if row.difference is None or row.spread is None:
        return numbers.NOTHING
    decimals = _decimals(row.spread)
    value = row.difference.value
    if decimals is not None:
        return f"{value:+.{decimals}f}"
    return numbers.signed_metric(value)


def verdict_text(table: GroupTable, change: Difference | None) -> str:
    """`exceeds, p 0.003` the spread, by Welch's test, or why there is no verdict; empty without a difference."""
    if change is None:
        return ""
    match change.verdict:
        case Verdict.TOO_FEW:
            return f"too few {repetitions(table)}"
        case Verdict.NO_SPREAD:
            return f"equal {repetitions(table)}"
        case Verdict.EXCEEDS | Verdict.WITHIN:
            return f"{change.verdict}, {_probability(change.probability or 0.0)}"


def _probability(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p {value:.2g}" if value < 0.1 else f"p {value:.2f}"


def row_sentence(table: GroupTable, row: GroupSetting) -> str:
    """`lr=1e-2: val_loss best 0.062 ±0.010, +0.017 to the baseline, within the spread of the seeds, ...`."""
    if row.is_uneven:
        return f"{setting_text(table, row)}: no mean, {_count_words(table, row)}, at steps {step_text(row)}"
    text = f"{setting_text(table, row)}: {metric_title(table)} {mean_text(row)}"
    if row.provisional:
        return f"{text} so far, of {_running_text(row)}"
    if row.is_baseline:
        return f"{text}, the baseline"
    if row.difference is None:
        return f"{text}, mean of {_count_words(table, row)}"
    text += f", {difference_text(row)} to the baseline"
    match row.difference.verdict:
        case Verdict.EXCEEDS | Verdict.WITHIN:
            test = f"Welch's t-test, {_probability(row.difference.probability or 0.0)}"
            return f"{text}, {row.difference.verdict} the spread of the {repetitions(table)} ({test})"
        case Verdict.TOO_FEW:
            return f"{text}; too few {repetitions(table)} to tell whether that exceeds their spread"
        case Verdict.NO_SPREAD:
            return f"{text}; all {repetitions(table)} of a setting give the same value"
