"""Where no supervisor could work, `run` says so at once and queues nothing."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from backprop_tui.cli.session import Session, open_session
from backprop_tui.processes import requirements
from backprop_tui.store.failures import SUPERVISOR, note_failure
from tests.support.commands import Commands


@pytest.fixture
def session(home: Path) -> Session:
    """Nobody holds the lease: commands have to start a supervisor."""
    opened = open_session(config=None)
    opened.home.prepare()
    return opened


def refuse(code: int) -> Callable[..., NoReturn]:
    def call(*_arguments: object, **_options: object) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return call


@pytest.mark.parametrize(
    ("call", "code", "exit_code", "message"),
    [
        ("pidfd_open", errno.ENOSYS, 69, "pidfd_open is refused; Linux 5.4 or newer"),
        ("mkfifo", errno.EPERM, 73, "no named pipe can be made there (Operation not permitted); set BACKPROP_HOME"),
    ],
)
def test_nothing_is_queued_where_no_supervisor_could_work(
    obey: Commands,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    code: int,
    exit_code: int,
    message: str,
) -> None:
    monkeypatch.setattr(os, call, refuse(code))
    result = obey("--no-ui", "run", "-d", "--", "true")
    assert result.code == exit_code
    assert message in result.err
    assert os.listdir(session.home.active) == []


def test_a_supervisor_that_cannot_be_started_is_reported(
    obey: Commands, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "posix_spawn", refuse(errno.EPERM))
    result = obey("--no-ui", "run", "-d", "--", "true")
    assert result.code == 69
    assert "the supervisor cannot be started: Operation not permitted" in result.err
    assert len(os.listdir(session.home.active)) == 1


def test_supervisors_that_keep_failing_are_reported(obey: Commands, session: Session) -> None:
    for _ in range(5):
        note_failure(session.home, SUPERVISOR, "ValueError: x")
    result = obey("--no-ui", "run", "-d", "--", "true")
    assert (result.code, result.lines) == (0, os.listdir(session.home.active)), (
        "it is queued: nobody may queue it again"
    )
    assert re.search("the supervisor failed 5 times: ValueError: x; again in [5-8]s; runs wait until then", result.err)
    assert "the supervisor keeps failing: ValueError: x; backprop-tui doctor" in obey("list").err
    assert "none; it failed 5 times: ValueError: x" in obey("status").out
    assert "bad   supervisor   it failed 5 times: ValueError: x" in obey("doctor").out


def test_an_error_that_a_low_limit_causes_is_that_of_the_limit(
    obey: Commands, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmet = ("the limit of 9 open files is too low", "raise it first: ulimit -n 32")
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", refuse(errno.EMFILE))
        patch.setattr(requirements, "unmet_requirement", lambda: unmet)
        result = obey("list")
    assert (result.code, result.err) == (69, f"backprop-tui: {'; '.join(unmet)}\n")
