"""One line for each run: what it does, how far it is, and why it waits or ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backprop_tui.cli import figures
from backprop_tui.cli.tables import NOTHING, Column
from backprop_tui.domain.metric_names import main_loss
from backprop_tui.domain.status import Status
from backprop_tui.store.fields import JsonObject

COLUMNS = (
    Column(title="ID"),
    Column(title="STATE"),
    Column(title="NAME", least=12, middle=True),
    Column(title="STEP", right=True),
    Column(title="LOSS", right=True),
    Column(title="TIME", right=True),
    Column(title="WHY", least=12),
)
QUEUE_COLUMNS = (
    Column(title="#", right=True),
    Column(title="ID"),
    Column(title="NAME", least=12, middle=True),
    Column(title="PRIORITY", right=True),
    Column(title="WAITS FOR", least=12),
)


def row(record: JsonObject, *, place: int | None = None) -> tuple[str, ...]:
    """The cells of a run; `place` is that in the queue."""
    metrics: Mapping[str, Any] = record["metrics"]
    loss = main_loss(metrics)
    return (
        record["id"],
        record["status"],
        record["name"],
        step(record),
        NOTHING if loss is None else figures.measure(metrics[loss]),
        figures.seconds(record["duration_seconds"]),
        why(record, place),
    )


def queue_row(record: JsonObject, place: int, here: str) -> tuple[str, ...]:
    """The cells of a run that waits, with all its reasons; `here` is the name of this machine."""
    waits = "; ".join(str(reason["message"]) for reason in record["hold_reasons"]) or record["reason"] or ""
    elsewhere = "" if record["host"] == here else f" (on {record['host']})"
    return str(place), record["id"], record["name"], str(record["priority"]), waits + elsewhere


def step(record: JsonObject) -> str:
    """How far it is, and of how much where the script says that; records of the original tool know less."""
    if record["step"] is None and record.get("epoch") is not None:
        of = record.get("total_epochs")
        return f"ep {record['epoch']:g}" + ("" if of is None else f"/{of}")
    shown = figures.count(record["step"])
    total = record.get("total_steps")
    return shown if total is None or record["step"] is None else f"{shown}/{figures.count(total)}"


def why(record: JsonObject, place: int | None = None) -> str:
    """Why it waits, stands still or ended; empty where there is nothing to explain."""
    match record["status"]:
        case Status.QUEUED:
            where = "" if place is None else f"#{place} "
            return where + waits_for(record["hold_reasons"], record["reason"])
        case Status.FAILED:
            return _failure(record)
        case _:
            return str(record["reason"] or "")


def waits_for(reasons: Sequence[JsonObject], otherwise: str | None) -> str:
    """The most blocking reason, and how many there are besides."""
    if not reasons:
        return otherwise or ""
    more = len(reasons) - 1
    return str(reasons[0]["message"]) + (f" (+{more} more)" if more else "")


def _failure(record: JsonObject) -> str:
    cause = record["cause"] or {}
    if cause.get("summary"):
        return str(cause["summary"])
    evidence = cause.get("evidence") if cause.get("kind") not in (None, "unknown", "killed_by_signal") else None
    return str(evidence or record["reason"] or exit_words(record))


def exit_words(record: JsonObject) -> str:
    """How its process ended: `exit code 3`, `by SIGKILL`; empty where nobody knows."""
    if record["signal"] is not None:
        return f"by {record['signal']}"
    return "" if record["exit_code"] is None else f"exit code {record['exit_code']}"
