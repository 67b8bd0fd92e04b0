"""Which runs a handle means."""

from __future__ import annotations

import os

import pytest

from backprop_tui.client.handles import resolve, resolve_all, resolve_one
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.errors import UnknownRun
from backprop_tui.domain.status import Status
from backprop_tui.store import index
from backprop_tui.store.run_directory import RunDirectory
from tests.support.runs import Runs


def _indexed(session: ClientSession, *directories: RunDirectory) -> None:
    """As a supervisor leaves them: in the index, without markers."""
    records = [directory.shown() for directory in directories]
    index.update(session.home, {str(record["id"]): record for record in records})
    for record in records:
        os.unlink(session.home.marker(str(record["id"])))


def test_an_exact_id_means_that_run_even_if_another_has_that_name(session: ClientSession, runs: Runs) -> None:
    runs.queued("abc")
    runs.queued("other", name="abc")
    assert resolve(session, "abc") == ["abc"]


def test_a_unique_beginning_of_an_id_is_enough(session: ClientSession, runs: Runs) -> None:
    runs.queued("abc123")
    _indexed(session, runs.ended("abd456"))
    assert resolve(session, "abc") == ["abc123"]
    assert resolve(session, "abd") == ["abd456"]


def test_a_beginning_of_several_ids_is_refused_and_they_are_listed(session: ClientSession, runs: Runs) -> None:
    runs.queued("abc123")
    runs.queued("abc456")
    with pytest.raises(UnknownRun, match="abc123, abc456"):
        resolve(session, "abc")


def test_a_name_means_the_unfinished_run(session: ClientSession, runs: Runs) -> None:
    runs.queued("older", name="train")
    runs.ended("newer", name="train")
    assert resolve(session, "train") == ["older"]


def test_among_ended_ones_a_name_means_the_newest(session: ClientSession, runs: Runs) -> None:
    first = runs.ended("first", name="train")
    second = runs.ended("second", name="train")
    _indexed(session, first, second)
    assert resolve(session, "train") == ["second"]


def test_a_name_of_several_unfinished_runs_is_refused_and_their_ids_listed(session: ClientSession, runs: Runs) -> None:
    runs.queued("one", name="train")
    runs.queued("two", name="train")
    with pytest.raises(UnknownRun, match=r"2 unfinished runs.*one, two"):
        resolve(session, "train")


def test_a_group_means_all_its_runs_the_ended_ones_too_oldest_first(session: ClientSession, runs: Runs) -> None:
    _indexed(session, runs.ended("a", group="sweep"))
    runs.queued("b", group="sweep")
    runs.queued("c", group="other")
    assert resolve(session, "sweep") == ["a", "b"]


def test_a_group_of_ended_runs_is_found_in_the_history(session: ClientSession, runs: Runs) -> None:
    _indexed(session, *[runs.ended(f"r{number}", group="sweep") for number in range(3)])
    assert resolve(session, "sweep") == ["r0", "r1", "r2"]


def test_a_name_in_a_monthly_file_is_found(session: ClientSession, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "KEPT", 0)
    monkeypatch.setattr(index, "SLACK", 0)
    monkeypatch.setattr(index, "RECENT", 0)
    _indexed(session, runs.ended("ancient", name="the-old-one"))
    assert resolve(session, "the-old-one") == ["ancient"]


def test_last_is_the_newest_whether_it_has_ended_or_not(session: ClientSession, runs: Runs) -> None:
    runs.queued("waits")
    assert resolve(session, "@last") == ["waits"]
    _indexed(session, runs.ended("ended"))
    assert resolve(session, "@last") == ["ended"]


def test_running_means_admitted_runs_that_have_not_ended(session: ClientSession, runs: Runs) -> None:
    runs.queued("waits")
    runs.guarded("runs")
    runs.ended("ended")
    assert resolve(session, "@running") == ["runs"]


@pytest.mark.parametrize(
    ("handle", "message"),
    [
        ("@last", "there is no run yet"),
        ("@running", "no run is running"),
        ("@first", "use @last or @running"),
        ("nothing", "backprop-tui list"),
        ("", "no run ''"),
        ("../../etc", "no run"),
    ],
)
def test_a_handle_that_matches_no_run_is_refused(session: ClientSession, handle: str, message: str) -> None:
    with pytest.raises(UnknownRun) as refused:
        resolve(session, handle)
    assert message in str(refused.value)


def test_a_mistyped_name_is_answered_with_the_nearest(session: ClientSession, runs: Runs) -> None:
    runs.queued("abc", name="baseline")
    with pytest.raises(UnknownRun, match="did you mean baseline"):
        resolve(session, "basline")


@pytest.mark.parametrize(
    ("handle", "hint"),
    [
        ("last", "did you mean @last?"),
        ("running", "did you mean @running?"),
        ("Failed", "runs by status: backprop-tui list --status failed"),
        ("all", "list, logs, stop and wait take --all"),
        ("frob", "backprop-tui list shows the newest"),
    ],
)
def test_a_word_that_is_no_run_is_answered_with_what_is_meant(session: ClientSession, handle: str, hint: str) -> None:
    with pytest.raises(UnknownRun) as refused:
        resolve(session, handle)
    assert refused.value.hint == hint


def test_several_handles_mean_each_run_once(session: ClientSession, runs: Runs) -> None:
    runs.queued("a", group="g")
    runs.queued("b", group="g")
    assert resolve_all(session, ["b", "g"]) == ["b", "a"]


def test_a_group_is_refused_if_one_run_is_expected(session: ClientSession, runs: Runs) -> None:
    runs.queued("a", group="g")
    runs.queued("b", group="g")
    with pytest.raises(UnknownRun, match="means 2 runs"):
        resolve_one(session, "g")


def test_a_marker_without_a_run_is_passed_over(session: ClientSession, runs: Runs) -> None:
    runs.queued("abc", name="train")
    with open(session.home.marker("ghost"), "w"):
        pass
    assert resolve(session, "train") == ["abc"]


def test_a_run_of_the_original_is_found_by_its_id_and_name(session: ClientSession) -> None:
    record = {"id": "exp-1", "name": "old", "status": Status.LOST, "created_at": "2020-01-01T00:00:00.000Z"}
    index.update(session.home, {"exp-1": record})
    assert resolve(session, "exp-1") == resolve(session, "old") == resolve(session, "exp") == ["exp-1"]


def test_the_runs_of_a_sweep_are_in_the_order_of_its_numbers(runs: Runs, session: ClientSession) -> None:
    for number in (10, 9, 1):
        runs.queued(f"r{number}", group="sweep", name=f"train:seed={number}", created_at=1_800_000_000.0)
    assert resolve(session, "sweep") == ["r1", "r9", "r10"]
    assert resolve(session, "@last") == ["r10"]
