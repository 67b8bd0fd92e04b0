"""`list` shows unfinished runs and the newest ended ones, and reads no more than it needs for that."""

from __future__ import annotations

import json
import shutil

import pytest

from backprop_tui.cli import output
from backprop_tui.cli.session import Session
from backprop_tui.domain.run import Cause
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from backprop_tui.store import index
from tests.support.commands import Commands
from tests.support.indexed import index_all
from tests.support.runs import Runs


def ids(records: list[dict[str, object]]) -> list[object]:
    return [record["id"] for record in records]


def test_without_runs_it_says_how_to_start_one(obey: Commands) -> None:
    result = obey("list")
    assert (result.code, result.out) == (0, "")
    assert "backprop-tui run train.py" in result.err
    assert obey.json("list") == []


def test_unfinished_runs_come_first_then_the_newest(obey: Commands, runs: Runs, session: Session) -> None:
    runs.ended("old")
    runs.ended("new")
    index_all(session.home)
    runs.queued("waits")
    runs.queued("urgent", priority=5)
    guardian = runs.guarded("runs")
    runs.ended("newest")  # not indexed yet
    assert ids(obey.json("list")) == ["runs", "urgent", "waits", "newest", "new", "old"]
    guardian.ends()


def test_a_group_or_other_runs_may_be_named(obey: Commands, runs: Runs, session: Session) -> None:
    for run_id, group in (("a", "grid"), ("b", "grid"), ("c", None)):
        runs.ended(run_id, group=group)
    index_all(session.home)
    runs.queued("d", group="grid")
    assert ids(obey.json("list", "grid")) == ["d", "b", "a"]
    assert ids(obey.json("list", "grid", "c", "--status", "completed")) == ["c", "b", "a"]
    assert obey("list", "nobody").code == 2


def test_a_row_shows_the_progress_of_a_run_and_why_it_ended(obey: Commands, runs: Runs) -> None:
    cause = Cause(kind="cuda_oom", evidence="CUDA out of memory: asked 2.50 GB")
    runs.guarded("oom").ends(Status.FAILED, exit_code=1, cause=cause)
    runs.guarded("code").ends(Status.FAILED, exit_code=7)
    runs.guarded("killed").ends(Status.FAILED, exit_code=None, signal="SIGKILL")
    guardian = runs.guarded("busy")
    guardian.says(step=38400, total_steps=60000, metrics={"lr": 0.1, "loss": 0.35287})
    lines = {line.split()[0]: line for line in obey("list").lines}
    assert lines["oom"].endswith("CUDA out of memory: asked 2.50 GB")
    assert lines["code"].endswith("exit code 7")
    assert lines["killed"].endswith("by SIGKILL")
    assert "38,400/60,000  0.3529" in lines["busy"]
    guardian.ends()


def test_epochs_are_shown_if_a_script_prints_no_steps(obey: Commands, runs: Runs) -> None:
    guardian = runs.guarded("busy")
    guardian.says(epoch=28.0, total_epochs=90, eta_seconds=60.0, metrics={"loss": 0.5})
    (line,) = (line for line in obey("list").lines if line.startswith("busy"))
    assert "ep 28/90" in line
    (record,) = obey.json("list")
    assert [record[key] for key in ("step", "epoch", "total_epochs", "eta_seconds")] == [None, 28.0, 90, 60.0]
    assert "epoch 28 of 90" in obey("status", "busy").out
    guardian.ends()


def test_a_running_runs_time_is_that_of_this_moment(obey: Commands, runs: Runs) -> None:
    guardian = runs.guarded("busy")
    clock = guardian.live.clock
    guardian.says(
        clock=type(clock)(running_seconds=100.0, paused_seconds=5.0, mark=clock.mark - 60.0, boot_id=clock.boot_id)
    )
    [record] = obey.json("list")
    assert 165.0 <= record["duration_seconds"] < 185.0
    assert record["paused_seconds"] == 5.0
    guardian.ends()


def test_queued_runs_show_their_position_and_what_they_wait_for(obey: Commands, runs: Runs, session: Session) -> None:
    runs.queued("first")
    runs.queued("second")
    reasons = [
        {"check": "ram", "figure": 1, "limit": 4, "message": "RAM 1 GB free, keeps 4", "gpu": None},
        {"check": "load", "figure": 9, "limit": 2, "message": "load 9 per core, waiting below 2", "gpu": None},
    ]
    result = {"pid": 1, "state": "holding", "held": {"second": reasons}, "reasons": reasons, "start_tokens": None}
    with open(session.home.host_file("governor.json"), "w", encoding="ascii") as file:
        json.dump(result, file)
    lines = {line.split()[0]: line for line in obey("list").lines}
    assert lines["second"].endswith("#2 RAM 1 GB free, keeps 4 (+1 more)")
    assert obey.json("list")[1]["hold_reasons"] == reasons


def test_80_columns_hold_every_line_and_whole_ids(obey: Commands, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.queued("a" * 24, name="a-name-that-is-long-enough-to-be-cut:lr=0.001")
    runs.guarded("b").ends(Status.FAILED, exit_code=1, cause=Cause(kind="python_error", evidence="E: " + "x" * 200))
    monkeypatch.setattr(output, "width", lambda: 80)
    lines = obey("list").lines
    assert all(len(line) <= 80 for line in lines)
    assert {line.split()[0] for line in lines} == {"ID", "a" * 24, "b"}


def test_narrow_terminals_keep_what_the_runs_are_sorted_by(
    obey: Commands, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run_id, seed, loss in (("a" * 8, 1, 3.25), ("b" * 8, 2, 1.125)):
        spec = {"command": ("python", "train.py", "--lr=0.1", f"--seed={seed}")}
        metrics = {"loss": 0.35287, "val_loss": loss, "acc": 0.75}
        runs.ended(run_id, Status.FAILED, exit_code=1, spec=spec, name=run_id * 4, metrics=metrics)
    monkeypatch.setattr(output, "width", lambda: 80)
    command = ("list", "--filter", "lr=0.1 seed<9 acc<1 val_loss<9")
    for sort in ("val_loss", "took", "acc", "lr"):
        lines = obey(*command, "--sort", sort).lines
        assert max(map(len, lines)) <= 80
        assert sort in lines[0].lower()
        assert ("lr" in lines[0].split()) == (sort == "lr")
    heading = obey("list", "--filter", "last(val_loss)<9 seed<9 acc<1").lines[0]
    assert "last val_" in heading
    assert "(" not in heading
    monkeypatch.setattr(output, "width", lambda: None)
    assert "lr" in obey(*command).lines[0].split()


def test_filters_and_sorting(obey: Commands, runs: Runs) -> None:
    runs.ended("a", tags=("x", "y"), name="zeta")
    runs.ended("b", Status.FAILED, exit_code=1, tags=("x",), name="alpha")
    runs.queued("c", host="elsewhere", tags=("y",), name="mid", priority=3)
    assert ids(obey.json("list", "--status", "failed")) == ["b"]
    assert ids(obey.json("list", "--status", "failed,queued")) == ["c", "b"]
    assert ids(obey.json("list", "--status", "waiting")) == ["c"]
    assert ids(obey.json("list", "--status", "ended")) == ["b", "a"]
    assert ids(obey.json("list", "--tag", "x")) == ["b", "a"]
    assert ids(obey.json("list", "--tag", "x", "--tag", "y")) == ["a"]
    assert ids(obey.json("list", "--host", "elsewhere")) == ["c"]
    assert ids(obey.json("list", "--sort", "name")) == ["b", "c", "a"]
    assert ids(obey.json("list", "--sort", "name", "--reverse")) == ["a", "c", "b"]
    assert ids(obey.json("list", "--sort", "priority", "--limit", "1")) == ["c"]
    assert ids(obey.json("list", "--sort", "created")) == ["c", "b", "a"]
    assert ids(obey.json("list", "--sort", "time")) == ids(obey.json("list", "--sort", "took"))
    assert obey("list", "--limit", "0").out == ""


def test_without_a_match_it_says_so(obey: Commands, runs: Runs) -> None:
    runs.ended("a")
    assert obey("list", "--status", "lost").err == "no matching runs\n"


def test_an_unknown_status_is_refused_with_the_known_ones(obey: Commands) -> None:
    result = obey("list", "--status", "done")
    assert result.code == 2
    assert "'done' is not a status; use waiting, starting" in result.err


def test_the_newest_50_of_a_long_history_are_shown_and_all_with_all(
    obey: Commands, runs: Runs, session: Session
) -> None:
    runs.ended("template")
    index_all(session.home)
    template = index.read_newest(session.home)["template"]
    stamps = [f"2026-{month:02}-{day:02}T00:00:00.000Z" for month in range(1, 13) for day in range(1, 29)] * 4
    made = {f"r{number}": {**template, "id": f"r{number}", "created_at": stamp} for number, stamp in enumerate(stamps)}
    index.update(session.home, made)
    shutil.rmtree(session.home.runs)  # neither is needed to list
    assert len(obey("list").lines) == 51
    assert len(obey.json("list", "--limit", "120")) == 120
    assert len(obey.json("list", "--all")) == len(stamps) + 1


@pytest.mark.parametrize(
    "options",
    [
        ("--filter", "val_loss<0.3"),
        ("--sort", "val_loss", "-n", "1"),
        ("--sort", "loss", "-n", "1"),
        ("--status", "failed"),
        ("--tag", "old"),
        ("--group", "old"),
        ("--host", "old"),
        ("-n", "5000", "--reverse"),
    ],
    ids=" ".join,
)
def test_what_selects_or_sorts_reads_the_whole_history(
    obey: Commands, runs: Runs, session: Session, options: tuple[str, ...]
) -> None:
    runs.ended("template")
    index_all(session.home)
    template = index.read_newest(session.home)["template"] | {"metrics": {"loss": 2.0, "val_loss": 0.5}}
    made = {
        f"r{number}": {**template, "id": f"r{number}", "created_at": f"2026-11-{1 + number % 28:02}T00:00:00.000Z"}
        for number in range(index.KEPT + index.SLACK)
    }
    best = {"metrics": {"loss": 1.0, "val_loss": 0.2}, "tags": ["old"], "group": "old", "host": "old"}
    status = "failed" if "failed" in options else "completed"
    made["best"] = template | best | {"id": "best", "created_at": "2026-10-01T00:00:00.000Z", "status": status}
    index.update(session.home, made)
    assert "best" not in index.read_newest(session.home)
    assert obey.json("list", *options)[0]["id"] == "best"


def test_runs_of_the_original_are_listed(obey: Commands, session: Session) -> None:
    record = {"id": "run-1", "scriptPath": "t.py", "status": "completed", "lastLoss": 0.5, "startTime": 1.7e12}
    with open(session.home.index, "w", encoding="ascii") as file:
        json.dump({"run-1": record}, file)
    assert obey("list").lines[1].split()[:5] == ["run-1", "completed", "run-1", "-", "0.5000"]


def test_a_resumed_run_is_listed_once(obey: Commands, runs: Runs, session: Session) -> None:
    directory = runs.ended("again")
    index_all(session.home)
    from backprop_tui.domain.lifecycle import requeue_ended
    from backprop_tui.store.creation import mark

    directory.write(requeue_ended(directory.read(), now=1.0, resume_from=None), durable=False)
    mark(session.home, "again")
    assert [record["status"] for record in obey.json("list")] == ["queued"]


def test_control_characters_of_a_script_do_not_reach_the_terminal(obey: Commands, runs: Runs) -> None:
    runs.guarded("evil").ends(
        Status.FAILED, exit_code=1, cause=Cause(kind="python_error", evidence="\x1b]0;owned\x07Error\nsecond")
    )
    lines = obey("list").lines
    assert len(lines) == 2
    assert lines[1].isprintable()


def test_completion_gets_every_handle_of_a_run(obey: Commands, runs: Runs) -> None:
    runs.queued("abc", name="two words", group="sweep")
    assert obey("list", "--handles").lines == ["@last", "@running", "abc", "sweep", "sweep@best"]


def test_only_the_runs_of_a_group_are_listed(obey: Commands, runs: Runs) -> None:
    runs.queued("a", group="sweep")
    runs.queued("b", group="other")
    runs.ended("c", group="sweep")
    runs.ended("d")
    assert {run["id"] for run in obey.json("list", "--group", "sweep")} == {"a", "c"}


def test_a_filter_has_the_words_of_the_dashboard(obey: Commands, runs: Runs, session: Session) -> None:
    for name, lr in (("a", "1e-3"), ("b", "1e-4")):
        runs.ended(name, name="train", spec={"command": ("train.py", "--lr", lr)})
    index_all(session.home)
    assert ids(obey.json("list", "--filter", "train lr=0.001 since:3650d")) == ["a"]
    assert obey.json("list", "--filter", "failed") == []
    wrong = obey("list", "--filter", "stat:failed")
    assert wrong.code == 2
    assert "did you mean state:?" in wrong.err


def test_the_values_that_a_filter_compares_have_columns(obey: Commands, runs: Runs) -> None:
    for name, value in (("a", 0.05), ("b", 0.2)):
        figures = {"loss": 1.0, "val_loss": value}
        runs.ended(name, spec={"command": ("train.py", "--lr", "1e-3")}, step=9, metrics=figures)
    heading, row = obey("list", "--filter", "val_loss<0.1 --lr<1 loss<2 step>1 took>=0").lines
    assert heading.split() == ["ID", "STATE", "NAME", "STEP", "LOSS", "TOOK", "val_loss", "--lr", "WHY"]
    assert row.split()[-2:] == ["0.05000", "1e-3"]


def test_a_bare_name_of_a_metric_is_searched_and_a_comparison_is_suggested(obey: Commands, runs: Runs) -> None:
    runs.ended("a", metrics={"val_loss": 1.0})
    listed = obey("list", "--filter", "val_loss")
    assert listed.out == ""
    assert "val_loss is a metric: compare it, such as val_loss<" in listed.err
    assert "did you mean val_loss?" in obey("list", "--filter", "val_los<1").err
    assert "before: is no qualifier" in obey("list", "--filter", "before:1d").err


def test_runs_are_sorted_by_any_metric_or_argument(obey: Commands, runs: Runs) -> None:
    for name, lr, accuracy in (("a", "1e-3", 0.8), ("b", "1e-2", 0.9), ("c", "3e-4", None)):
        metrics = {} if accuracy is None else {"val_acc": accuracy}
        runs.ended(name, spec={"command": ("train.py", "--lr", lr)}, metrics=metrics)
    assert ids(obey.json("list", "--sort", "val_acc")) == ["b", "a", "c"]
    assert ids(obey.json("list", "--sort", "last(val_acc)", "--reverse")) == ["a", "b", "c"]
    assert ids(obey.json("list", "--sort", "lr")) == ["c", "a", "b"]
    heading, row, *_ = obey("list", "--sort=--lr").lines
    assert (heading.split()[-2:], row.split()[-1]) == (["--lr", "WHY"], "3e-4")
    assert obey("list", "--sort", "vall_acc").err.endswith("did you mean val_acc?\n")


def test_failed_runs_come_after_the_others_by_loss(obey: Commands, runs: Runs) -> None:
    for name, loss, status in (("a", 0.3, Status.COMPLETED), ("b", 0.1, Status.FAILED), ("c", 0.2, Status.STOPPED)):
        runs.ended(name, status, metrics={"loss": loss})
    assert ids(obey.json("list", "--sort", "loss")) == ["c", "a", "b"]


def test_runs_of_the_same_name_are_distinguished_by_their_arguments(
    obey: Commands, runs: Runs, session: Session
) -> None:
    for name, lr in (("a", "1e-3"), ("b", "1e-4")):
        runs.ended(name, name="train", spec={"command": ("train.py", "--lr", lr)})
    index_all(session.home)
    assert "train lr=1e-3" in obey("list").out
    assert {record["name"] for record in obey.json("list")} == {"train"}


def test_the_start_is_shown_where_there_is_room_and_where_it_is_asked_for(
    obey: Commands, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.ended("a", metrics={"val_loss": 0.5}, name="a-name-that-is-long-enough-to-be-cut-where-there-is-no-room")
    monkeypatch.setattr(output, "width", lambda: 200)
    assert "STARTED" in obey("list").lines[0]
    assert "STARTED" in obey("list", "--filter", "since:7d", "--sort", "val_loss").lines[0]
    assert "ENDED" in obey("list", "--filter", "ended:7d").lines[0]
    monkeypatch.setattr(output, "width", lambda: 80)
    assert "STARTED" not in obey("list").lines[0]
    assert "STARTED" in obey("list", "--filter", "since:7d").lines[0]
    for word in ("started", "created", "ended"):
        assert word.upper() in obey("list", "--sort", word).lines[0]
    assert max(map(len, obey("list", "--sort", "created").lines)) <= 80


def test_runs_are_sorted_by_the_best_value_of_their_objective(obey: Commands, runs: Runs) -> None:
    for run_id, value in (("a", 0.5), ("b", 0.25), ("c", 0.75)):
        runs.ended(run_id, metrics={"val_loss": 1.0}, best={"val_loss": Extreme(value, 9)}, tags=("loss",))
    for run_id, value in (("d", 0.5), ("e", 0.75)):
        runs.ended(run_id, metrics={"val_acc": 0.1}, best={"val_acc": Extreme(value, 9)}, tags=("acc",))
    assert ids(obey.json("list", "--tag", "loss", "--sort", "best")) == ["b", "a", "c"]
    assert ids(obey.json("list", "--tag", "acc", "--sort", "best")) == ["e", "d"]
    assert ids(obey.json("list", "--filter", "best<0.6", "--tag", "loss", "--sort", "best", "--reverse")) == ["a", "b"]
    assert "0.2500" in obey("list", "--tag", "loss", "--sort", "best").out
    mixed = obey("list", "--sort", "best")
    assert mixed.code == 2
    assert "ranked by val_acc, val_loss" in mixed.err


def test_what_can_be_sorted_by_is_suggested_once(obey: Commands, runs: Runs) -> None:
    runs.ended("a", metrics={"loss": 0.5})
    message = obey("list", "--sort", "bogus").err
    assert message.count("loss") == 1
    assert "best" in message


def _sweep(runs: Runs) -> None:
    for number, (size, by) in enumerate((("64", "adamw"), ("128", "adamw"), ("1024", "sgd"))):
        command = ("train.py", "--batch-size", size, "--optimizer", by, "--decay", "0.1", "--seed", str(number))
        metrics = {"loss": 2.5, "val_loss": 3.0 + number}
        best = {"val_loss": Extreme(2.75 + number, 9)}
        runs.ended("abc"[number] * 8, name="train", spec={"command": command}, metrics=metrics, best=best, step=20)
    runs.ended("other", name="train", spec={"command": ("train.py", "--decay", "0.5")})


def test_what_is_sorted_by_takes_the_place_of_the_loss_at_80_columns(
    obey: Commands, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sweep(runs)
    monkeypatch.setattr(output, "width", lambda: 80)
    heading = obey("list", "--filter", "since:7d val_loss<9", "--sort", "best(val_loss)").lines[0]
    assert "best val_loss" in heading
    assert "LOSS" not in heading
    assert "STEP" not in heading  # the same in all
    monkeypatch.setattr(output, "width", lambda: 200)
    assert "LOSS" in obey("list", "--sort", "best(val_loss)").lines[0]


def test_names_leave_out_what_is_alike_and_abbreviate_an_argument_in_one_way(
    obey: Commands, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sweep(runs)
    for width in (74, 80, 90):
        monkeypatch.setattr(output, "width", lambda cells=width: cells)
        _, *rows = obey("list", "--filter", "decay=0.1 val_loss<9 --optimizer!=lion").lines
        names = [row.split()[3].partition("=")[0] for row in rows]
        assert names == names[:1] * 3, width
        assert names[0].startswith("b")
        assert "decay" not in "".join(rows)
        assert not any("the same in all" in row for row in rows)  # the filter says it
    assert obey("list", "--filter", "val_loss<9").lines[-1] == "the same in all: decay=0.1"
    monkeypatch.setattr(output, "width", lambda: None)
    assert "decay=0.1 batch-size=64 optimizer=adamw" in obey("list", "--filter", "val_loss<9").out


def test_a_comparison_without_a_value_is_refused_with_the_values_of_the_runs(obey: Commands, runs: Runs) -> None:
    _sweep(runs)
    for text, message in (
        ("optimizer=", "optimizer= needs a value; it is adamw, sgd"),
        ("val_loss<", "val_loss< needs a value; it is between 3.000 and 5.000"),
        ("opt=", "opt= needs a value; no run has an argument or a metric opt; did you mean optimizer?"),
    ):
        refused = obey("list", "--filter", text)
        assert refused.code == 2
        assert message in refused.err
