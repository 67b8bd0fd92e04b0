"""A group as a table, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.cli import output, tables
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.client.runs import current
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.spread import Spread
from backprop_tui.presentation.group_table import GroupSetting, GroupTable, Standing, group_table
from backprop_tui.presentation.group_words import (
    count_text,
    difference_text,
    heading_text,
    mean_text,
    metric_title,
    repetitions,
    spread_text,
    spread_title,
    step_text,
    verdict_text,
)
from backprop_tui.store.fields import JsonObject

_MAX_OTHERS = 3  # columns of other metrics; the JSON has all of them


def show_table(session: Session, run_ids: Sequence[str], over: Sequence[str], metric: str | None) -> int:
    """Prints the table of a group. UsageError if it is a single run, or does not differ in an argument of `over`."""
    if len(run_ids) < 2:
        raise UsageError("--over: this is a single run", "name a group: backprop-tui show GROUP --over seed")
    records = [current(session, run_id) for run_id in run_ids]
    names = [name.strip() for text in over for name in text.split(",") if name.strip()]
    table = group_table(records, over=names, metric=metric)
    if session.json:
        output.json_value({"group": records[0].get("group"), **table_json(table)})
        return OK
    output.line(tables.one_line(heading_text(table)))
    tables.show(_columns(table), [_cells(table, row) for row in table.rows], counts_left_out=True)
    return OK


def _columns(table: GroupTable) -> list[tables.Column]:
    differences = ("TO BASELINE", spread_title(table).upper()) if table.has_differences else ()
    return [
        tables.Column(title=""),
        *(
            tables.Column(title=parameter.name, least=6, middle=True, spare=1, values=True)
            for parameter in table.parameters
        ),
        tables.Column(title=repetitions(table).upper(), least=5),
        tables.Column(title=metric_title(table)),
        *(tables.Column(title=f"{tables.one_line(name)} last", spare=4) for name in table.others[:_MAX_OTHERS]),
        tables.Column(title="STEP", right=True, spare=3),
        *(tables.Column(title=title, right=not index, spare=2) for index, title in enumerate(differences)),
    ]


def _cells(table: GroupTable, row: GroupSetting) -> list[str]:
    differences = (difference_text(row), verdict_text(table, row.difference)) if table.has_differences else ()
    return [
        "*" if row.is_best else "",
        *row.values,
        count_text(row),
        mean_text(row),
        *(spread_text(row.others.get(name)) for name in table.others[:_MAX_OTHERS]),
        step_text(row),
        *differences,
    ]


def table_json(table: GroupTable) -> JsonObject:
    objective = table.objective
    return {
        "metric": table.metric,
        "objective": None
        if objective is None
        else {"metric": objective.metric, "direction": objective.direction, "source": objective.source},
        "problem": table.problem,
        "parameters": [parameter.argument for parameter in table.parameters],
        "over": [parameter.argument for parameter in table.folded],
        "baseline": table.baseline,
        "rows": [_row_json(table, row) for row in table.rows],
    }


def _row_json(table: GroupTable, row: GroupSetting) -> JsonObject:
    change = row.difference
    arguments = [parameter.argument for parameter in table.parameters]
    return {
        "settings": dict(zip(arguments, row.values, strict=True)),
        "runs": [
            {"run": member.run_id, "counted_as": member.standing, "value": member.value} for member in row.members
        ],
        "counts": {standing: row.count(standing) for standing in Standing},
        "best": row.is_best,
        "provisional": row.provisional,
        **_spread_json(row.spread),
        "metrics": {name: _spread_json(spread) for name, spread in row.others.items()},
        "steps": None if row.steps is None else list(row.steps),
        "is_baseline": row.is_baseline,
        "delta": None if change is None else change.value,
        "verdict": None if change is None else change.verdict,
        "p": None if change is None else change.probability,
    }


def _spread_json(spread: Spread | None) -> JsonObject:
    if spread is None:
        return {"n": 0, "mean": None, "sd": None}
    return {"n": spread.count, "mean": spread.mean, "sd": spread.deviation}
