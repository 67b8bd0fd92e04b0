"""`doctor`: checks whether this machine is fit for runs, and says how to fix what is not."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from backprop_tui.cli import output, tables
from backprop_tui.cli.doctor import Finding, Level
from backprop_tui.cli.doctor.machine import (
    check_cores,
    check_gpus,
    check_kernel,
    check_logout,
    check_memory,
    check_python,
    check_shared_memory,
    check_terminal,
    terminal_size,
)
from backprop_tui.cli.doctor.state import check_state
from backprop_tui.cli.doctor.work import check_index, check_settings, check_work
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.machine import MachineProbe, machine_settings
from backprop_tui.cli.session import Session
from backprop_tui.client.session import ClientSession, current_directory
from backprop_tui.config.errors import ConfigError
from backprop_tui.config.load import run_limits
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.limits import RunLimits
from backprop_tui.probes.logout import user_name

SUMMARY = "check this machine: kernel, state directory, locks, logout, GPUs, terminal; say how to fix problems"

SOMETHING_BAD = 1
_LEAST_WIDTH = 40


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
    probe = MachineProbe(session.home, probe=settings.probe, sample_seconds=settings.limits.sample_seconds)
    limits = _limits(session)
    yield from check_python(current_directory(), os.environ)
    yield from check_kernel(os.uname().release)
    yield from check_state(session.home.root, min_free_bytes=limits.min_free_disk_bytes)
    yield from check_index(session.home)
    yield from check_settings(session.config_path, current_directory(), os.environ, named=session.config_named)
    yield from check_work(session.home)
    yield from check_logout(user_name())
    machine = probe.view()
    yield from check_memory(machine.readings.host, min_free_bytes=limits.min_free_ram_bytes)
    yield from check_cores(machine.readings.host)
    yield from check_shared_memory()
    yield from check_gpus(machine, settings.probe)
    yield from check_terminal(os.environ, size=terminal_size())


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
    yield _summary(Counter(finding.level for finding in findings))


def _lines(begin: str, text: str, width: int | None) -> list[str]:
    """Wrapped, and indented by the length of `begin`."""
    whole = tables.one_line(begin + text)
    if width is None or len(whole) <= width:
        return [whole]
    from textwrap import wrap

    return wrap(whole, max(width, _LEAST_WIDTH), subsequent_indent=" " * len(begin), break_on_hyphens=False)


def _summary(counts: Counter[Level]) -> str:
    if not counts[Level.BAD] and not counts[Level.WARN]:
        return "all is well"
    return f"{counts[Level.BAD]} bad, {counted(counts[Level.WARN], 'warning')}"
