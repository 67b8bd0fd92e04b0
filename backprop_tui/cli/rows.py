"""The tables of runs: `list`, the active and queued runs of `status`, and the queue."""

from __future__ import annotations

from backprop_tui.cli.tables import NOTHING, Column
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.known_run import KnownRun, Moment, last_loss, step_text
from backprop_tui.presentation.run_line import reason_text
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
    """The cells of a run; `place` is its place in the queue."""
    run = KnownRun(record=record, place=place)
    return (
        run.id,
        run.status.value,
        record["name"],
        step_text(run) or NOTHING,
        numbers.metric(last_loss(run)),
        durations.elapsed(record["duration_seconds"]),
        reason_text(run, Moment.now()),
    )


def queue_row(record: JsonObject, place: int, this_host: str) -> tuple[str, ...]:
    """The cells of a queued run, with every reason that holds it."""
    reasons = "; ".join(str(reason["message"]) for reason in record["hold_reasons"]) or record["reason"] or ""
    elsewhere = "" if record["host"] == this_host else f" (on {record['host']})"
    return str(place), record["id"], record["name"], str(record["priority"]), reasons + elsewhere
