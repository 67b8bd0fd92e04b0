"""Unfinished work needs a supervisor: whoever looks and finds none starts one."""

from __future__ import annotations

from collections.abc import Iterable

from backprop_tui.cli import diagnostics
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import BackpropError
from backprop_tui.store.run_view import RunView


def wake(session: Session, unfinished: Iterable[RunView]) -> None:
    """Starts a supervisor where runs of this machine are unfinished and none lives; what keeps it from that is told."""
    if session.dry_run or not any(one.run.host == session.home.host for one in unfinished):
        return
    try:
        session.supervisor.ensure()
    except (BackpropError, OSError) as error:
        diagnostics.complain(f"no supervisor could be started: {error}")
