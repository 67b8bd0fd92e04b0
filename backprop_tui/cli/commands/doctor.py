"""`doctor`: checks whether this machine is fit for runs, and says how to fix what is not."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict

from backprop_tui.cli import output, tables
from backprop_tui.cli.doctor import Finding, Level, bad, cluster, machine, state
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.client.machine import MachineProbe, machine_settings
from backprop_tui.client.session import ClientSession, current_directory
from backprop_tui.config.load import KeyProblems, Layer, read_layers, run_limits, with_key_problems
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.run import LOCAL
from backprop_tui.probes.logout import login_name

SUMMARY = "check this machine: kernel, state directory, locks, logout, GPUs, terminal; say how to fix problems"

SOMETHING_BAD = 1
_MIN_WIDTH = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit code: 0 when nothing is bad (warnings allowed), 1 when something is."


def execute(_arguments: argparse.Namespace, session: Session) -> int:
    return print_findings(session, list(check_machine(session, session.key_problems)))


def print_findings(session: Session, findings: Sequence[Finding]) -> int:
    """Prints the report, or the JSON; the exit code."""
    counts = Counter(finding.level for finding in findings)
    if session.json:
        output.json_value({"ok": not counts[Level.BAD], "checks": [asdict(finding) for finding in findings]})
    else:
        for line in report_lines(findings, output.width()):
            output.line(line)
    return SOMETHING_BAD if counts[Level.BAD] else OK


def check_machine(session: ClientSession, key_problems: KeyProblems | None) -> Iterator[Finding]:
    """Every finding; a check that fails itself is one, too, since other commands fail in the same way."""
    for name, check in _checks(session, key_problems):
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001 - this command is for when others fail
            yield bad(name, f"cannot be checked: {error}", "fix this first: other commands fail in the same way")


def _checks(
    session: ClientSession, key_problems: KeyProblems | None
) -> Iterator[tuple[str, Callable[[], Iterable[Finding]]]]:
    """The checks in their order; GPUs are measured while the first of them are made."""
    home, environment = session.home, os.environ
    settings = machine_settings(session.config_path)
    probe = MachineProbe(home, settings)
    limits = _limits(session)
    yield "python", lambda: machine.check_python(current_directory(), environment)
    yield "packages", machine.check_packages
    yield "kernel", lambda: machine.check_kernel(os.uname().release)
    yield "limits", machine.check_requirements
    yield "state", lambda: state.check_state(home, min_free_bytes=limits.min_free_disk_bytes)
    yield "owner", lambda: state.check_leftovers(home)
    yield "index", lambda: state.check_index(home)
    yield "records", lambda: state.check_records(home)
    yield "settings", lambda: state.check_settings(_layers(session, key_problems))
    yield "supervisor", lambda: state.check_work(home)
    yield "failures", lambda: state.check_failures(home)
    yield "host", lambda: state.check_elsewhere(home)
    yield "slurm", lambda: cluster.check_cluster(home, _launcher(session), environment)
    yield "logout", lambda: machine.check_logout(login_name())
    sample = probe.sample()
    yield "memory", lambda: machine.check_memory(sample.readings.host, min_free_bytes=limits.min_free_ram_bytes)
    yield "cores", lambda: machine.check_cores(sample.readings.host)
    yield "shm", machine.check_shared_memory
    yield "temp", machine.check_temporary_folder
    yield "gpu probe", lambda: machine.check_gpus(sample, settings.probe)
    yield "parallel", lambda: machine.check_parallel(settings.limits, sample.readings)
    yield "terminal", lambda: machine.check_terminal(environment, size=output.terminal_size())


def _layers(session: ClientSession, key_problems: KeyProblems | None) -> list[Layer]:
    layers = read_layers(session.config_path, current_directory(), os.environ, named=session.config_named)
    return with_key_problems(layers, key_problems)


def _launcher(session: ClientSession) -> str:
    try:
        return session.settings().text("run.launcher")
    except (BackpropError, OSError):
        return LOCAL


def _limits(session: ClientSession) -> RunLimits:
    """The limits of a run queued here; if the settings cannot be read, their own check says so."""
    try:
        return run_limits(session.settings())
    except (BackpropError, OSError):
        return RunLimits()


def report_lines(findings: Sequence[Finding], width: int | None) -> Iterator[str]:
    """The report as text, wrapped to `width` columns; None: not wrapped."""
    for finding in findings:
        yield from _lines(f"{finding.level:<5} {finding.check:<12} ", finding.message, width)
        if finding.advice is not None:
            yield from _lines(" " * 16 + "-> ", finding.advice, width)
    yield ""
    counts = Counter(finding.level for finding in findings)
    bad, warnings = counts[Level.BAD], counts[Level.WARN]
    yield f"{bad} bad, {counted(warnings, 'warning')}" if bad or warnings else "no problems found"


def _lines(begin: str, text: str, width: int | None) -> list[str]:
    """Wrapped, and indented by the length of `begin`."""
    whole = tables.one_line(begin + text)
    if width is None or len(whole) <= width:
        return [whole]
    from textwrap import wrap

    return wrap(whole, max(width, _MIN_WIDTH), subsequent_indent=" " * len(begin), break_on_hyphens=False)
