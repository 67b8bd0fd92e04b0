"""`resume GROUP --failed`: those runs of a group go back to the queue that failed or were lost, and no others."""

from __future__ import annotations

import argparse

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.handles import resolve
from backprop_tui.cli.interrupts import Interrupts
from backprop_tui.cli.records import current
from backprop_tui.cli.resumption import queue_again
from backprop_tui.cli.session import Session
from backprop_tui.cli.tails import From
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.status import Status
from backprop_tui.store.fields import JsonObject

RETRIED = frozenset({Status.FAILED, Status.LOST})


def retry_failed(session: Session, arguments: argparse.Namespace) -> int:
    """Queues them again, then follows them as the runs of a sweep.

    Raises:
        UsageError: an option is for one run alone, or one of them cannot be resumed; those before it are queued.
    """
    if arguments.resume_from is not None or arguments.name is not None:
        raise UsageError("--failed is for several runs: --resume-from and --name are for one of them")
    if arguments.no_wait:
        raise UsageError("--failed is for several runs, and --no-wait for one")
    records = [current(session, run_id) for run_id in resolve(session, arguments.run)]
    wanted = [record["id"] for record in records if record["status"] in RETRIED]
    if session.dry_run:
        return _rehearsed(session, [record for record in records if record["id"] in wanted])
    if not wanted:
        return _nothing(session, arguments.run, len(records))
    with Interrupts() as interrupts:
        starts: dict[str, From] = {}
        try:
            for run_id in wanted:
                starts[run_id] = queue_again(session, run_id, arguments)[1]
        finally:
            if starts:
                session.supervisor.call()
        from backprop_tui.cli.handing_over import detach, follow

        diagnostics.say(f"{counted(len(wanted), 'run')} of {len(records)} queued again")
        if arguments.detach:
            return detach(session, wanted, as_array=True)
        if session.dashboard is None:
            return follow(session, wanted, interrupts, starts=starts)
    return session.dashboard(session.home, session.config_path, wanted[0])


def _nothing(session: Session, handle: str, count: int) -> int:
    diagnostics.say(f"{handle}: none of its {counted(count, 'run')} failed or was lost")
    if session.json:
        output.json_value([])
    return OK


def _rehearsed(session: Session, records: list[JsonObject]) -> int:
    if session.json:
        output.json_value(records)
        return OK
    for record in records:
        output.line(f"{record['id']} {record['name']}: would be queued again")
    return OK
