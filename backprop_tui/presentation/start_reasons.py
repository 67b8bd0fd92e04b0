"""Why a run that is not queued yet would wait, in few words: a clause for each reason, and what to do about it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.thresholds import as_options
from backprop_tui.presentation.places import index_ranges
from backprop_tui.presentation.remedies import decisive_reasons, machine_setting, own_thresholds
from backprop_tui.store.codec import encode

_READING = r"^(: | too hot, )(\d[\d.]*)( GB| °C)"  # of a GPU; others with the same reason may have another one


def clauses(reasons: Sequence[HoldReason]) -> list[str]:
    """One for each reason; GPUs with the same reason are named together, without the settings behind it."""
    of_gpus = [reason for reason in reasons if reason.gpu is not None]
    texts = [reason.message for reason in reasons if reason.gpu is None and not (of_gpus and _is_summary(reason))]
    groups: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for reason in of_gpus:
        template, figure = _split(reason)
        groups[template].append((reason.gpu or 0, figure))
    return [*texts, *(_clause(template, readings) for template, readings in groups.items())]


def _is_summary(reason: HoldReason) -> bool:
    """Whether it says of all GPUs what the reasons of the single ones say, too."""
    return reason.check is Check.GPU_COUNT and reason.limit == 1 and not reason.permanent


def _split(reason: HoldReason) -> tuple[str, str]:
    """The message with `{gpus}` and `{figure}`, and the figure."""
    message = reason.message.removesuffix(f" ({reason.behind})") if reason.setting else reason.message
    before, _, after = message.partition(f"GPU {reason.gpu}")
    reading = re.search(_READING, after)
    figure = "" if reading is None else reading[2]
    after = re.sub(r"(needs [0-9.]+)$", r"\1 GB", re.sub(_READING, r"\1{figure}\3", after))
    return f"{before}GPU {{gpus}}{after}", figure


def _clause(template: str, readings: Sequence[tuple[int, str]]) -> str:
    figures = sorted({figure for _, figure in readings}, key=lambda figure: float(figure or 0))
    figure = figures[0] if len(figures) == 1 else f"{figures[0]}-{figures[-1]}"
    return template.replace("{gpus}", index_ranges([gpu for gpu, _ in readings])).replace("{figure}", figure)


def first_remedy(reasons: Sequence[HoldReason]) -> tuple[str, str] | None:
    """The first thing that lets the run start sooner: an option of its own and the value, or a setting and the value.

    `queue_held` without a value is the queue, which a person has to release. None: nothing that could be typed.
    """
    for reason in decisive_reasons([encode(reason) for reason in reasons]):
        if reason.get("check") == Check.QUEUE_HELD:
            return Check.QUEUE_HELD, ""
        setting, thresholds = machine_setting(reason), own_thresholds(reason)
        if setting is not None:
            return setting
        if thresholds is not None:
            option, _, value = as_options(thresholds).partition(" ")
            return option, value
    return None
