"""A first hour: a folder with a few files, a store with a few runs, and somebody who mistypes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from backprop_tui.cli.session import Session
from backprop_tui.domain.status import Status
from tests.first_hour.refusals import Refusal, check
from tests.support.commands import Commands
from tests.support.runs import Runs
from tests.support.store_fixtures import runs, session, workplace

__all__ = ["runs", "session", "workplace"]

FILES = {"train.py": "print(1)\n", "notes": "buy milk\n", "nb.ipynb": "{}\n", "folder/deep.py": "print(2)\n"}

Refuses = Callable[..., Refusal]


@pytest.fixture
def obey(session: Session, workplace: Path, runs: Runs, capsys: pytest.CaptureFixture[str]) -> Commands:
    """Commands in a folder with FILES; the runs `busy`, `waits`, `done` and `broke` are in the store."""
    for name, content in FILES.items():
        path = workplace / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    runs.guarded("busy")
    runs.queued("waits")
    runs.ended("done")
    runs.ended("broke", Status.FAILED, exit_code=1)
    return Commands(capsys)


@pytest.fixture
def refuses(obey: Commands, session: Session) -> Refuses:
    """Gives a command line, then the same with `--json`, and checks both answers; returns the refusal."""

    def give(*words: str) -> Refusal:
        before = sorted(os.listdir(session.home.runs))
        refusal = check(obey(*words), obey("--json", *words))
        assert sorted(os.listdir(session.home.runs)) == before
        return refusal

    return give
