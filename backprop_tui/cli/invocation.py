"""One invocation from its arguments to its exit code: every error becomes a line and a code here."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from backprop_tui import __version__
from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.exit_codes import OK, READER_GONE
from backprop_tui.cli.parser import COMMANDS, parse
from backprop_tui.domain.errors import BackpropError, InternalError, Interrupted, StorageFailed, SystemUnfit, UsageError

if TYPE_CHECKING:
    from backprop_tui.cli.parser import GlobalOptions, Invocation
    from backprop_tui.cli.session import Dashboard, Demo, Session
    from backprop_tui.config.load import KeyProblems

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_LIMITED = (errno.EMFILE, errno.EFBIG, errno.EAGAIN, errno.ENOMEM)
_NO_FILE = (errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENXIO)  # another kind of file is there
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def run_program(
    words: Sequence[str],
    open_dashboard: Dashboard | None = None,
    open_demo: Demo | None = None,
    key_problems: KeyProblems | None = None,
) -> int:
    """Carries out the command line without the program's name, and returns the documented exit code.

    If `open_dashboard` is None, every command works headless; if `open_demo` is None, there is no demo.
    """
    output.prepare()
    parsed: list[Invocation] = []
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # held back while this was imported
        code = _execute(words, parsed, open_demo, open_dashboard=open_dashboard, key_problems=key_problems)
        output.flush()
    except BrokenPipeError:
        code = READER_GONE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - no command may end in a traceback
        code = _report(error, words, parsed[0].options if parsed else None)
    output.leave(discard=code == READER_GONE)
    return code


def _execute(
    words: Sequence[str],
    parsed: list[Invocation],
    open_demo: Demo | None,
    **programs: Any,  # noqa: ANN401 - the fields of the session that `main` fills
) -> int:
    """Adds the command line to `parsed` as soon as it is understood: what follows may fail."""
    try:
        invocation = parse(words)
    except SystemExit:  # argparse printed the help that was asked for
        return OK
    parsed.append(invocation)
    if invocation.options.version:
        output.line(f"backprop-tui {__version__}")
        return OK
    from backprop_tui.cli.session import open_session

    options = invocation.options
    flags = {name: getattr(options, name) for name in ("json", "verbose", "dry_run", "no_ui")}
    session = open_session(config=options.config, **flags, **programs)
    if options.demo:
        if session.dashboard is None or open_demo is None:
            problem = f"--demo needs a terminal to show its dashboard on: {session.dashboard_obstacle}"
            raise UsageError(problem, "use a terminal, and leave out --no-ui, --json and --dry-run")
        return open_demo(session.home.host, session.config_path)
    try:
        return _carry_out(invocation, session)
    finally:
        from backprop_tui.store.files import set_aside_report

        diagnostics.complain(set_aside_report())
        diagnostics.complain(session.home.unreadable_report())


def _carry_out(invocation: Invocation, session: Session) -> int:
    if invocation.needs_store:
        session.home.require_private()
    if invocation.execute is None:
        if session.dashboard is None:
            instead = "without a dashboard: backprop-tui status, list or run; all commands: backprop-tui --help"
            raise UsageError(f"the dashboard cannot open: {session.dashboard_obstacle}", instead)
        return session.dashboard(session.home, session.config_path, None, invocation.options.read_only)
    return invocation.execute(invocation.arguments, session)


def _report(error: BaseException, words: Sequence[str], options: GlobalOptions | None) -> int:
    """Says on stderr what failed, with --json also on stdout; returns the exit code.

    `options` is None if the command line was not understood; it has its options all the same.
    """
    ours = words[: words.index("--")] if "--" in words else words
    as_json, verbose = ("--json" in ours, "--verbose" in ours) if options is None else (options.json, options.verbose)
    reported = _as_reported(error, verbose=verbose)
    # A message of several lines ends with the commands to choose from.
    if reported.kind == UsageError.kind and reported.hint is None and "\n" not in reported.message:
        command = [word for word in ours if word in COMMANDS][:1]
        reported = UsageError(reported.message, " ".join(["see: backprop-tui", *command, "--help"]))
    if isinstance(error, KeyboardInterrupt):
        diagnostics.clear_status()
    else:
        diagnostics.complain(str(reported))
        if verbose:
            diagnostics.trace(error)
    if as_json:
        output.json_error(reported)
    return reported.exit_code


def _as_reported(error: BaseException, *, verbose: bool) -> BackpropError:
    """The error as users see it; the traceback of an error of this program is kept in a file."""
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("interrupted by Ctrl-C")
    if (unfit := _as_unfit(error)) is not None:
        return unfit
    if isinstance(error, BackpropError) and error.exit_code != InternalError.exit_code:
        return error
    package = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and package != "backprop_tui":
        from backprop_tui.cli.packages import missing_package

        return missing_package(package)
    if isinstance(error, OSError) and error.errno in (*_NO_SPACE, *_REFUSED, *_NO_FILE) and error.filename is not None:
        from backprop_tui.store.files import failure

        return failure(os.fsdecode(error.filename), error)
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return StorageFailed(str(error.strerror))
    kind = "" if isinstance(error, InternalError) else f"{type(error).__name__}: "
    path = None if verbose else diagnostics.keep_trace(error, _fault_log_path())
    hint = f"the details are in {path}" if path else "--verbose shows the details"
    return InternalError(f"internal error: {kind}{error}", None if verbose else hint)


def _as_unfit(error: BaseException) -> BackpropError | None:
    """What an error comes from that a limit of this process may cause, or a missing /proc; None if neither is so."""
    cause = error.__cause__ or error
    if isinstance(cause, OSError):
        may_be = cause.errno in _LIMITED or str(cause.filename).startswith("/proc/")
    else:
        may_be = isinstance(cause, MemoryError | RuntimeError)
    if not may_be:
        return None
    from backprop_tui.processes.requirements import unmet_requirement

    unmet = unmet_requirement()
    return None if unmet is None else SystemUnfit(*unmet)


def _fault_log_path() -> str | None:
    from backprop_tui.client.session import state_directory
    from backprop_tui.store.home import Home

    try:
        home = Home(state_directory(), host="")
        return home.faults if home.foreign_owner() is None else None
    except Exception:  # noqa: BLE001 - this may be what failed
        return None
