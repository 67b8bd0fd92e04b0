"""`run`: queues a script or a command line, and follows it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from backprop_tui.cli import diagnostics
from backprop_tui.cli.options import add_identity_options, add_run_options, run_request
from backprop_tui.cli.reports import follow_queued, print_previews, refuse_held, require_no_slurm
from backprop_tui.cli.session import Interrupts, Session
from backprop_tui.client.request_words import remember_command
from backprop_tui.client.run_request import RunRequest
from backprop_tui.client.submit import earlier_runs, plan, queue_runs, submission_key
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.secrets import mask_words

SUMMARY = "queue a script or a command line and follow it; the script's own arguments come after --"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    forms = ("[options] SCRIPT [-- ARGS]", "[options] -- COMMAND ...", "--like RUN [options] [-- ARGS]")
    parser.usage = "\n       ".join(f"backprop-tui run {form}" for form in forms)
    parser.add_argument(
        "script",
        metavar="SCRIPT",
        nargs="?",
        help="a .py, a .sh or an executable; a program on PATH takes the rest of the line",
    )
    add_identity_options(parser)
    add_run_options(parser)


def parse_request(words: Sequence[str]) -> RunRequest:
    """Parses the words after `run` for the dashboard, which has no global options."""
    from backprop_tui.cli.parser import GlobalOptions, parse

    ours = words[: words.index("--")] if "--" in words else words
    if "-h" in ours or "--help" in ours:
        raise UsageError("help is not shown here", "type in a shell: backprop-tui run --help")
    invocation = parse(["run", *words])
    if invocation.options != GlobalOptions() or invocation.arguments.no_wait:
        raise UsageError("global options and --no-wait only work in a shell")
    return run_request(invocation.arguments)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    try:
        return _execute(arguments, session)
    except UsageError as error:
        if arguments.trailing is not None:
            arguments.trailing.explain(error)
        raise


def _execute(arguments: argparse.Namespace, session: Session) -> int:
    if arguments.no_wait and arguments.sweep:
        raise UsageError("--no-wait starts one run at once, and --sweep makes several", "give only one of the two")
    request = run_request(arguments)
    if arguments.understood is not None:
        diagnostics.say(f"understood as: {mask_words([arguments.understood])[0]}")
    if arguments.trailing is not None:
        diagnostics.complain(arguments.trailing.warning())
    if session.dry_run:
        from backprop_tui.client.dry_run import preview_runs

        planned = plan(session, request)
        diagnostics.complain(planned.advice())
        return print_previews(
            session, preview_runs(session, planned.runs, planned.environment), planned.environment, request.env
        )
    with Interrupts() as interrupts:
        run_ids = _queue(session, request, wait=not arguments.no_wait)
        return follow_queued(session, arguments, run_ids, interrupts, as_array=bool(request.sweep))


def _queue(session: Session, request: RunRequest, *, wait: bool) -> list[str]:
    """The ids of the runs, or of those that the key made before; HeldByGovernor if it would have to wait."""
    with submission_key(session, request.key) as key:
        run_ids = [] if key is None else earlier_runs(session, request, key)
        planned = None if run_ids else plan(session, request)
        if planned is not None:
            if not wait:
                from backprop_tui.client.dry_run import preview_runs

                require_no_slurm(planned.runs[0])
                (preview,) = preview_runs(session, planned.runs)
                if not preview.starts:
                    refuse_held(session, preview)
            diagnostics.complain(planned.advice())
            interpreter = planned.program.interpreter
            if session.verbose and interpreter is not None:
                diagnostics.say(f"interpreter {interpreter.path}: {interpreter.origin}")
            run_ids = queue_runs(session, planned, key)
            if request.sweep:
                group = planned.runs[0].group
                diagnostics.say(
                    f"{counted(len(run_ids), 'run')} in group {group}; backprop-tui list {group} shows them"
                )
    session.wake_supervisor()
    if planned is not None:
        remember_command(session.home, planned.request)
    return run_ids
