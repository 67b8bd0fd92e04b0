"""`wait` returns when the runs have ended, with the code of the first that ended badly."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest

from backprop_tui.cli.parser import parse
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.status import Status
from backprop_tui.store import index
from tests.support.runs import Runs

Capture = pytest.CaptureFixture[str]


def _wait(session: Session, *words: str) -> int:
    typed = parse(["wait", *words])
    assert typed.execute is not None
    return typed.execute(typed.arguments, session)


def test_ended_runs_are_not_waited_for(session: Session, runs: Runs, capsys: Capture) -> None:
    runs.ended("abc", Status.FAILED, exit_code=7)
    assert _wait(session, "abc") == 7
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "abc (abc): failed with exit code 7" in printed.err


def test_it_waits_for_the_last_run_and_exits_with_the_first_failure(session: Session, runs: Runs) -> None:
    first, second = runs.guarded("first"), runs.guarded("second")

    def end() -> None:
        second.ends(Status.FAILED, exit_code=5)
        time.sleep(0.01)  # the ends must differ in their milliseconds
        first.ends(Status.FAILED, exit_code=6)

    threading.Thread(target=end, daemon=True).start()
    assert _wait(session, "first", "second") == 5


def test_all_means_every_unfinished_run(session: Session, runs: Runs) -> None:
    runs.ended("over", Status.FAILED, exit_code=7)
    assert _wait(session, "--all") == 0


def test_with_json_the_records_come_in_the_order_they_were_named(session: Session, runs: Runs, capsys: Capture) -> None:
    runs.ended("a")
    runs.ended("b", Status.STOPPED)
    assert _wait(replace(session, json=True), "b", "a") == 130
    assert [record["id"] for record in json.loads(capsys.readouterr().out)] == ["b", "a"]


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1.5", 1.5), ("45m", 2700), ("1h30m", 5400)])
def test_the_timeout_takes_units(text: str, seconds: float) -> None:
    assert parse(["wait", "abc", "--timeout", text]).arguments.timeout == seconds


def test_all_stops_waiting_for_a_host_that_falls_silent(
    session: Session, runs: Runs, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.queued("far", host="gone", created_at=time.time())
    looks = iter([False, True])
    monkeypatch.setattr("backprop_tui.cli.commands.wait.is_silent", lambda *_: next(looks))
    monkeypatch.setattr("backprop_tui.cli.commands.wait.ENSURE_SECONDS", 0.0)
    assert _wait(session, "--all", "--timeout", "60") == 0
    assert "run far is on gone, and is not waited for" in capsys.readouterr().err


def test_a_run_of_the_original_has_ended(session: Session) -> None:
    record = {"id": "old", "name": "old", "status": Status.LOST, "ended_at": None}
    index.update(session.home, {"old": record})
    assert _wait(session, "old") == 71


@pytest.mark.parametrize("words", [[], ["--all", "abc"]])
def test_either_runs_or_all(session: Session, words: list[str]) -> None:
    with pytest.raises(UsageError):
        _wait(session, *words)
