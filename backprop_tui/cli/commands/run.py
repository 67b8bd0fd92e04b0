"""`run`: queues a script or a command line, and follows it."""

from __future__ import annotations

import argparse

from backprop_tui.cli import diagnostics
from backprop_tui.cli.interrupts import Interrupts
from backprop_tui.cli.run_options import add_identity_options, add_run_options
from backprop_tui.cli.session import Session
from backprop_tui.cli.submission import plan, submission, submit
from backprop_tui.domain.errors import UsageError

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
        return _rehearse(arguments, session)
    with Interrupts() as interrupts:
        run_ids = _queue(arguments, session)
        if isinstance(run_ids, int):
            return run_ids
        # Loaded only now, while the supervisor starts the run.
        from backprop_tui.cli.handing_over import detach, follow

        if arguments.detach:
            return detach(session, run_ids, as_array=bool(arguments.sweep))
        if session.dashboard is None or arguments.no_wait:
            return follow(session, run_ids, interrupts, wait_when_held=not arguments.no_wait)
    return session.dashboard(session.home, session.config_path, run_ids[0])


def _rehearse(arguments: argparse.Namespace, session: Session) -> int:
    from backprop_tui.cli.verdict import rehearse

    wanted = plan(session, arguments)
    return rehearse(session, wanted.runs, wanted.environment, arguments.env)


def _queue(arguments: argparse.Namespace, session: Session) -> list[str] | int:
    """The ids of the runs, those that the key made before among them; or the exit code where it is not to wait."""
    with submission(session, arguments.key) as key:
        run_ids = [] if key is None else key.earlier()
        if not run_ids:
            wanted = plan(session, arguments)
            if arguments.no_wait:
                from backprop_tui.cli.verdict import refused

                code = refused(session, wanted.runs[0])
                if code is not None:
                    return code
            if session.verbose and wanted.program.interpreter is not None:
                found = wanted.program.interpreter
                diagnostics.say(f"interpreter {found.path}: {found.origin}")
            run_ids = submit(session, wanted, key)
    session.supervisor.call()
    return run_ids
