"""`edit` changes what may be changed, in every status, and refuses before it has changed anything."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.cli.session import Session
from backprop_tui.domain.requests import EditRequest, TimeboxRequest
from backprop_tui.domain.run_changes import apply_edit, with_timebox
from tests.support.commands import Commands
from tests.support.runs import Guardian, Runs
from tests.support.waiting import wait_until


def obedient(guardian: Guardian) -> threading.Thread:
    """A guardian that carries out the first edit and the first timebox that it is asked for."""

    def listen() -> None:
        wait_until(lambda: len(guardian.asked()) >= 2, "asked for both")
        for request in guardian.asked():
            if isinstance(request, EditRequest):
                guardian.edits(apply_edit(guardian.run, request))
            elif isinstance(request, TimeboxRequest):
                guardian.edits(with_timebox(guardian.run, request))

    thread = threading.Thread(target=listen)
    thread.start()
    return thread


def test_a_queued_run_is_changed_at_once(obey: Commands, runs: Runs) -> None:
    directory = runs.queued("a", tags=("old",), note="old")
    result = obey(
        "edit", "a", "--name", "b", "--tag", "x", "--tag", "y", "--note", "", "--max-minutes", "20", "--priority", "-2"
    )
    assert result.lines == ["a b: renamed to b, tags x, y, no note, priority -2, a limit of 20m"]
    run = directory.read()
    assert (run.name, run.tags, run.note, run.priority, run.spec.max_run_seconds) == ("b", ("x", "y"), None, -2, 1200.0)


def test_a_running_run_gets_a_request_and_the_command_returns_when_it_is_done(obey: Commands, runs: Runs) -> None:
    guardian = runs.guarded("busy")
    thread = obedient(guardian)
    result = obey("edit", "busy", "--max-minutes", "none", "--note", "longer")
    thread.join()
    assert (result.code, result.err) == (0, "")
    assert (guardian.run.spec.max_run_seconds, guardian.run.note) == (None, "longer")
    guardian.ends()


def test_an_ended_run_is_renamed_and_the_index_updated(obey: Commands, runs: Runs, session: Session) -> None:
    directory = runs.ended("a")
    assert obey("edit", "a", "--tag", "best").lines == ["a a: tags best"]
    assert directory.read().tags == ("best",)
    assert obey("edit", "a", "--tag", "").code == 0
    assert directory.read().tags == ()


def test_a_timebox_for_an_ended_run_is_refused_with_advice(obey: Commands, runs: Runs) -> None:
    directory = runs.ended("a")
    result = obey("edit", "a", "--max-minutes", "5", "--note", "not this either")
    assert result.code == 2
    assert "backprop-tui resume a -m 5" in result.err
    assert directory.read().note is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing to change; give --name"),
        (("--name", "@x"), "--name"),
        (("--max-minutes", "0"), "--max-minutes: '0': must be more than 0, or"),
        (("--max-minutes", "soon"), "--max-minutes: 'soon': must be a number of minutes or a duration such as"),
        (("--priority", "high"), "--priority: 'high': must be a number"),
        (("--note", "two\nlines"), "--note"),
        (("--nmae", "x"), "unknown option --nmae"),
    ],
)
def test_wrong_edits_are_refused(obey: Commands, runs: Runs, words: tuple[str, ...], message: str) -> None:
    directory = runs.queued("a")
    before = directory.read()
    result = obey("edit", "a", *words)
    assert result.code == 2
    assert message in result.err
    assert directory.read() == before


def test_a_group_is_changed_as_a_whole_but_for_its_name(obey: Commands, runs: Runs) -> None:
    first, second = runs.queued("a", group="sweep"), runs.ended("b", group="sweep")
    assert obey("edit", "sweep", "--name", "x").code == 2
    assert obey("edit", "sweep", "--tag", "t").lines == ["a a: tags t", "b b: tags t"]
    assert (first.read().tags, second.read().tags) == (("t",), ("t",))


def test_the_thresholds_of_a_queued_run_are_changed(obey: Commands, runs: Runs) -> None:
    directory = runs.queued("a")
    words = ("--max-load", "0", "--min-free-ram", "512MB", "-p", "3", "--gpu-min-vram", "0", "--gpu-max-temp", "70")
    expected = (
        "governor.max_load_per_core 0, min_free_ram_gb 0.5, max_parallel 3, gpu.min_free_vram_mb 0, gpu.max_temp_c 70"
    )
    assert obey("edit", "a", *words).lines == [f"a a: {expected}"]
    limits = directory.read().spec.limits
    assert (limits.max_load_per_core, limits.min_free_ram_bytes, limits.max_parallel) == (0.0, 1 << 29, 3)
    assert (limits.gpu_min_free_vram_bytes, limits.gpu_max_temp_celsius) == (0, 70.0)
    assert b'"message":"' + expected.encode() in Path(directory.events_path).read_bytes()
    assert obey("edit", "a", "-p", "auto").code == 0
    assert directory.read().spec.limits == replace(limits, max_parallel=None)


def test_thresholds_for_what_is_not_queued_are_refused(obey: Commands, runs: Runs) -> None:
    guardian, ended = runs.guarded("busy"), runs.ended("over")
    busy = obey("edit", "busy", "--max-load", "0", "--note", "not this either")
    assert busy.code == 2
    assert "--max-load 0: run busy is running" in busy.err
    over = obey("edit", "over", "--min-free-ram", "2")
    assert over.code == 2
    assert "backprop-tui resume over --min-free-ram 2" in over.err
    assert (guardian.run.note, ended.read().note, guardian.asked()) == (None, None, [])
    guardian.ends()


def test_of_a_group_the_queued_runs_get_the_thresholds(obey: Commands, runs: Runs) -> None:
    queued, ended = runs.queued("a", group="sweep"), runs.ended("b", group="sweep")
    result = obey("edit", "sweep", "--max-load", "0")
    assert (result.code, result.lines) == (0, ["a a: governor.max_load_per_core 0"])
    assert "1 run of 2 not waiting any more" in result.err
    assert (queued.read().spec.limits.max_load_per_core, ended.read().spec.limits.max_load_per_core) == (0.0, 2.0)


def test_more_memory_than_the_machine_has_is_refused(obey: Commands, runs: Runs) -> None:
    directory = runs.queued("a")
    before = directory.read()
    result = obey("edit", "a", "--min-free-ram", "900000")
    assert result.code == 2
    assert "this machine has" in result.err
    assert directory.read() == before


def test_a_dry_run_changes_nothing(obey: Commands, runs: Runs) -> None:
    directory = runs.queued("a")
    assert obey("edit", "a", "--note", "x", "--dry-run").lines == ["a a (queued): would be given a note"]
    assert directory.read().note is None


def test_with_json_it_gives_the_changed_runs(obey: Commands, runs: Runs) -> None:
    runs.queued("a")
    [record] = obey.json("edit", "a", "--note", "x")
    assert (record["id"], record["note"]) == ("a", "x")
