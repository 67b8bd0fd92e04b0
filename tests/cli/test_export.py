"""`export` writes every run there is, in columns that stay."""

from __future__ import annotations

import csv
import io
import json

from backprop_tui.cli.commands.export import COLUMNS
from backprop_tui.cli.session import Session
from backprop_tui.domain.run import Cause
from backprop_tui.domain.status import Status
from tests.support.commands import Commands
from tests.support.indexed import index_all
from tests.support.runs import Runs


def exported(obey: Commands) -> list[dict[str, str]]:
    result = obey("export")
    assert result.code == 0
    return list(csv.DictReader(io.StringIO(result.out)))


def test_every_run_is_written_oldest_first(obey: Commands, runs: Runs, session: Session) -> None:
    runs.ended("indexed")
    index_all(session.home)
    runs.ended("ended")
    guardian = runs.guarded("busy")
    runs.queued("waits")
    order = ["indexed", "ended", "busy", "waits"]
    assert [row["id"] for row in exported(obey)] == order
    assert [record["id"] for record in obey.json("export")] == order
    assert [record["id"] for record in json.loads(obey("export", "--format", "json").out)] == order
    guardian.ends()


def test_the_columns_are_those_that_the_help_names_and_one_for_each_metric(obey: Commands, runs: Runs) -> None:
    guardian = runs.guarded("a")
    guardian.edits(
        type(guardian.run)(
            **{n: getattr(guardian.run, n) for n in guardian.run.__slots__}
            | {"metrics": {"loss": 0.5, "acc": float("nan")}}
        )
    )
    guardian.ends()
    runs.ended("b")
    first, second = exported(obey)
    assert list(first) == [*COLUMNS, "metric.acc", "metric.loss"]
    assert (first["metric.loss"], first["metric.acc"], second["metric.loss"]) == ("0.5", "NaN", "")
    assert all(column in obey("export", "--help").out.replace("\n", " ") for column in COLUMNS)


def test_commas_quotes_and_line_breaks_survive(obey: Commands, runs: Runs) -> None:
    cause = Cause(kind="python_error", evidence='ValueError: "a", b\nc')
    guardian = runs.guarded("a", tags=("x", "y"), note="one, two", spec={"command": ("python", "t.py", "two words")})
    guardian.ends(Status.FAILED, exit_code=1, cause=cause)
    [row] = exported(obey)
    assert (row["note"], row["tags"], row["command"]) == ("one, two", "x y", "python t.py 'two words'")
    assert (row["cause_kind"], row["cause_evidence"]) == ("python_error", cause.evidence)
    assert (row["exit_code"], row["signal"], row["attempts"]) == ("1", "", "1")


def test_without_runs_there_is_a_header_alone(obey: Commands) -> None:
    assert obey("export").lines == [",".join(COLUMNS)]
    assert obey.json("export") == []


def test_runs_of_the_original_are_exported_too(obey: Commands, session: Session) -> None:
    record = {
        "id": "run-1",
        "scriptPath": "t.py",
        "status": "completed",
        "lastCheckpoint": "/c.pt",
        "startTime": 1.7e12,
    }
    with open(session.home.index, "w", encoding="ascii") as file:
        json.dump([record], file)
    [row] = exported(obey)
    assert (row["script"], row["last_checkpoint"], row["host"]) == ("t.py", "/c.pt", "")


def test_only_the_runs_that_are_named_are_written(obey: Commands, runs: Runs) -> None:
    for run_id in "abc":
        runs.ended(run_id, group="sweep" if run_id != "b" else None)
    assert [run["id"] for run in obey.json("export", "sweep")] == ["a", "c"]
    assert len(obey("export", "b").lines) == 2


def test_every_printed_line_with_metrics_is_a_row_with_its_run_and_attempt(obey: Commands, runs: Runs) -> None:
    for run_id, metrics in (("a", {"loss": 0.5}), ("b", {"loss": "NaN", "acc, top 1": 0.25})):
        guardian = runs.guarded(run_id, group="sweep")
        guardian.measures(1, **metrics)
        guardian.ends()
    runs.queued("c", group="sweep")
    table = list(csv.DictReader(obey("export", "sweep", "--metrics").lines))
    assert [(row["run"], row["attempt"], row["step"], row["loss"], row["acc, top 1"]) for row in table] == [
        ("a", "1", "1", "0.5", ""),
        ("b", "1", "1", "NaN", "0.25"),
    ]
    rows = obey.json("export", "sweep", "--metrics")
    assert [(row["run"], row["step"], row["metrics"]) for row in rows] == [
        ("a", 1, {"loss": 0.5}),
        ("b", 1, {"loss": "NaN", "acc, top 1": 0.25}),
    ]
    assert obey.json("export", "c", "--metrics") == []
    assert "--metrics needs the runs" in obey("export", "--metrics").err
