"""`run`: queues a script or a command line, and follows it."""

from __future__ import annotations

import argparse

from backprop_tui.cli.following import Following, From
from backprop_tui.cli.handing_over import detach, presenter_for
from backprop_tui.cli.interrupts import Interrupts
from backprop_tui.cli.run_options import add_identity_options, add_run_options
from backprop_tui.cli.session import Session
from backprop_tui.cli.submission import plan, submission, submit
from backprop_tui.cli.verdict import decision, rehearse, say_held
from backprop_tui.cli.withdrawal import withdraw
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.governor.admission import Hold

SUMMARY = "queue a script or a command line and follow it; the script's own arguments come after --"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SCRIPT and every option of a new run."""
    parser.usage = "backprop-tui run [options] SCRIPT [-- ARGS]\n       backprop-tui run [options] -- COMMAND ..."
    parser.add_argument("script", metavar="SCRIPT", nargs="?", help="a .py by its interpreter, a .sh, or any program")
    add_identity_options(parser)
    add_run_options(parser)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Queues once, then follows."""
    if arguments.no_wait and arguments.sweep:
        raise UsageError("--no-wait starts one run at once, and --sweep makes several: give one of the two")
    if session.dry_run:
        wanted = plan(session, arguments)
        return rehearse(session, wanted.runs, wanted.environment, arguments.env)
    with Interrupts() as interrupts:
        run_ids = _queue(arguments, session)
        if isinstance(run_ids, int):
            return run_ids
        if arguments.detach:
            return detach(session, run_ids, as_array=bool(arguments.sweep))
        following = Following(session, dict.fromkeys(run_ids, From()), presenter_for(session, run_ids), interrupts)
        if arguments.no_wait:
            following.leave_when_held(lambda run_id: withdraw(session, run_id, None))
        return following.to_the_end()


def _queue(arguments: argparse.Namespace, session: Session) -> list[str] | int:
    """The ids of the runs, those that the key made before among them; or the exit code where it is not to wait."""
    with submission(session, arguments.key) as key:
        run_ids = [] if key is None else key.earlier()
        if not run_ids:
            wanted = plan(session, arguments)
            if arguments.no_wait:
                found = decision(session, wanted.runs[0])
                if isinstance(found, Hold):
                    return say_held(session, wanted.runs[0], found)
            run_ids = submit(session, wanted, key)
    session.supervisor.call()
    return run_ids
