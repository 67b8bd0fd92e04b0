"""`edit` changes what may be changed, in every status, and refuses before it has changed anything."""

from __future__ import annotations

import threading

import pytest

from backprop_tui.cli.session import Session
from backprop_tui.domain.requests import EditRequest, TimeboxRequest
from backprop_tui.domain.run import apply_edit, with_timebox
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
    assert result.lines == ["a b: name b, tags x, y, no note, priority -2, a limit of 20 min"]
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


def test_a_dry_run_changes_nothing(obey: Commands, runs: Runs) -> None:
    directory = runs.queued("a")
    assert obey("edit", "a", "--note", "x", "--dry-run").lines == ["a a (queued): would be given a note"]
    assert directory.read().note is None


def test_with_json_it_gives_the_changed_runs(obey: Commands, runs: Runs) -> None:
    runs.queued("a")
    [record] = obey.json("edit", "a", "--note", "x")
    assert (record["id"], record["note"]) == ("a", "x")
