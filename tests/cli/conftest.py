"""A session on a store of the test's own, which no supervisor looks after unless a test asks for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.cli.session import Session
from tests.support.commands import Commands
from tests.support.store_fixtures import runs, session, workplace

__all__ = ["obey", "runs", "session", "workplace"]


@pytest.fixture
def obey(session: Session, workplace: Path, capsys: pytest.CaptureFixture[str]) -> Commands:
    """Commands on the store of `session`, given in `workplace`."""
    return Commands(capsys)
