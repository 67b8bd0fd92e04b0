"""`resume`: a new attempt of an ended run, from its newest sound checkpoint."""

from __future__ import annotations

import argparse
import os

from backprop_tui.cli import diagnostics
from backprop_tui.cli.handles import HELP, resolve
from backprop_tui.cli.interrupts import Interrupts
from backprop_tui.cli.resumption import queue_again, resumption
from backprop_tui.cli.run_options import add_run_options
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import UnknownRun, UsageError
from backprop_tui.domain.run import Run
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import public_record

SUMMARY = "start an ended run again from its newest sound checkpoint; its options stay unless given again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN and every option of a run that may change from attempt to attempt."""
    parser.add_argument("run", metavar="RUN", help=f"{HELP}; a group with --failed")
    parser.add_argument("--failed", action="store_true", help="of a group those runs that failed or were lost, again")
    add_run_options(parser)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Queues the next attempt, then follows it."""
    if arguments.failed:
        from backprop_tui.cli.retrying import retry_failed

        return retry_failed(session, arguments)
    run = _run(session, _one(session, arguments.run))
    code = _rehearsed(arguments, session, run)
    if code is not None:
        return code
    with Interrupts() as interrupts:
        queued, start = queue_again(session, run.id, arguments)
        session.supervisor.call()
        # Loaded only now, while the supervisor starts the run.
        from backprop_tui.cli.handing_over import detach, follow

        if queued.from_checkpoint is None:
            diagnostics.say(f"run {run.id} starts from the beginning: no sound checkpoint is known")
        for name in queued.variables_not_kept:
            diagnostics.say(f"--env {name} was given before and its value is not kept; give it again if it is needed")
        if arguments.detach:
            return detach(session, [run.id], as_array=False)
        if session.dashboard is None or arguments.no_wait:
            return follow(
                session,
                [run.id],
                interrupts,
                starts={run.id: start},
                before=queued.before,
                wait_when_held=not arguments.no_wait,
            )
    return session.dashboard(session.home, session.config_path, run.id)


def _rehearsed(arguments: argparse.Namespace, session: Session, run: Run) -> int | None:
    """The exit code where nothing is to be queued: --dry-run, or held and not to wait."""
    if not session.dry_run and not arguments.no_wait:
        return None
    from backprop_tui.cli.verdict import refused, rehearse

    wanted = resumption(session, run, arguments)
    if session.dry_run:
        return rehearse(session, [wanted.run], wanted.environment, arguments.env)
    return refused(session, wanted.run)


def _one(session: Session, handle: str) -> str:
    run_ids = resolve(session, handle)
    if len(run_ids) > 1:
        raise UnknownRun(f"{handle!r} means {len(run_ids)} runs: --failed resumes those of them that failed")
    return run_ids[0]


def _run(session: Session, run_id: str) -> Run:
    directory = RunDirectory(session.home.run_folder(run_id))
    if os.path.exists(directory.path):
        return directory.read()
    record = public_record(session.home, run_id)
    last = record["checkpoints"][-1]["path"] if record["checkpoints"] else None
    advice = f"backprop-tui run {record['script'] or 'SCRIPT'}" + (f" -r {last}" if last else "")
    raise UsageError(f"run {run_id} was recorded by the original Backprop, which kept no options; instead: {advice}")
