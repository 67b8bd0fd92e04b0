"""`doctor`: checks whether this machine is fit for runs, and says how to fix what is not."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from backprop_tui.cli import output, tables
from backprop_tui.cli.doctor import Finding, Level, machine, state
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.client.machine import MachineProbe, machine_settings
from backprop_tui.client.session import ClientSession, current_directory
from backprop_tui.config.load import run_limits
from backprop_tui.domain.errors import ConfigError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.limits import RunLimits
from backprop_tui.probes.logout import user_name

SUMMARY = "check this machine: kernel, state directory, locks, logout, GPUs, terminal; say how to fix problems"

SOMETHING_BAD = 1
_MIN_WIDTH = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit code: 0 when nothing is bad (warnings allowed), 1 when something is."


def execute(_arguments: argparse.Namespace, session: Session) -> int:
    findings = list(check_machine(session))
    counts = Counter(finding.level for finding in findings)
    if session.json:
        output.json_value({"ok": not counts[Level.BAD], "checks": [asdict(finding) for finding in findings]})
    else:
        for line in report_lines(findings, output.width()):
            output.line(line)
    return SOMETHING_BAD if counts[Level.BAD] else OK


def check_machine(session: ClientSession) -> Iterator[Finding]:
    settings = machine_settings(session.config_path)
    probe = MachineProbe(session.home, settings)
    limits = _limits(session)
    yield from machine.check_python(current_directory(), os.environ)
    yield from machine.check_kernel(os.uname().release)
    yield from state.check_state(session.home.root, min_free_bytes=limits.min_free_disk_bytes)
    yield from state.check_index(session.home)
    yield from state.check_settings(session.config_path, current_directory(), os.environ, named=session.config_named)
    yield from state.check_work(session.home)
    yield from machine.check_logout(user_name())
    sample = probe.sample()
    yield from machine.check_memory(sample.readings.host, min_free_bytes=limits.min_free_ram_bytes)
    yield from machine.check_cores(sample.readings.host)
    yield from machine.check_shared_memory()
    yield from machine.check_gpus(sample, settings.probe)
    yield from machine.check_parallel(settings.limits, sample.readings)
    yield from machine.check_terminal(os.environ, size=machine.terminal_size())


def _limits(session: ClientSession) -> RunLimits:
    """The limits of a run queued here; if the settings are wrong, their own check says so."""
    try:
        return run_limits(session.settings())
    except ConfigError:
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
