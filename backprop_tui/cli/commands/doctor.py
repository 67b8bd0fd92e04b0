"""`doctor`: whether this machine is fit for runs, and how to mend what is not."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from backprop_tui.cli import output, tables, terminal
from backprop_tui.cli.doctor.findings import Finding, Level
from backprop_tui.cli.doctor.gpus import look_at_gpus
from backprop_tui.cli.doctor.screen import look_at_terminal, terminal_size
from backprop_tui.cli.doctor.sessions import look_at_sessions
from backprop_tui.cli.doctor.state import look_at_state
from backprop_tui.cli.doctor.system import (
    look_at_cores,
    look_at_kernel,
    look_at_memory,
    look_at_python,
    look_at_shared_memory,
)
from backprop_tui.cli.doctor.work import look_at_index, look_at_settings, look_at_work
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.governor_view import machine_settings
from backprop_tui.cli.machine_view import MachineProbe
from backprop_tui.cli.session import Session, here
from backprop_tui.config.errors import ConfigError
from backprop_tui.config.load import run_limits
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.limits import RunLimits
from backprop_tui.probes.logout import user_name

SUMMARY = "check this machine: kernel, state directory, locks, logout, GPUs, terminal; say how to mend each"

SOMETHING_BAD = 1
_LEAST_WIDTH = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None, but what the exit code means."""
    parser.epilog = "Exit code: 0 when nothing is bad (warnings allowed), 1 when something is."


def execute(_arguments: argparse.Namespace, session: Session) -> int:
    """Looks at everything, then tells."""
    findings = list(_findings(session))
    worst = Counter(finding.level for finding in findings)
    if session.json:
        output.json_value({"ok": not worst[Level.BAD], "checks": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            _show(finding)
        output.line()
        output.line(_summary(worst))
    return SOMETHING_BAD if worst[Level.BAD] else OK


def _findings(session: Session) -> Iterator[Finding]:
    settings = machine_settings(session.config_path)
    probe = MachineProbe(session.home, probe=settings.probe, sample_seconds=settings.limits.sample_seconds)
    limits = _limits(session)
    yield from look_at_python(here(), os.environ)
    yield from look_at_kernel(os.uname().release)
    yield from look_at_state(session.home.root, min_free_bytes=limits.min_free_disk_bytes)
    yield from look_at_index(session.home)
    yield from look_at_settings(session.config_path, here(), os.environ, named=session.config_named)
    yield from look_at_work(session.home)
    yield from look_at_sessions(user_name())
    machine = probe.view()
    yield from look_at_memory(machine.readings.host, min_free_bytes=limits.min_free_ram_bytes)
    yield from look_at_cores(machine.readings.host)
    yield from look_at_shared_memory()
    yield from look_at_gpus(machine, settings.probe)
    yield from look_at_terminal(os.environ, size=terminal_size())


def _limits(session: Session) -> RunLimits:
    """Those of a run that would be queued here; what is wrong with the settings is told by their own check."""
    try:
        return run_limits(session.settings())
    except ConfigError:
        return RunLimits()


def _show(finding: Finding) -> None:
    for line in _lines(f"{finding.level:<5} {finding.check:<12} ", finding.message):
        output.line(line)
    if finding.advice is not None:
        for line in _lines(" " * 16 + "-> ", finding.advice):
            output.line(line)


def _lines(begin: str, text: str) -> list[str]:
    """In the width of the terminal, what follows indented as far as the beginning; one line where there is none."""
    width = terminal.width()
    whole = tables.one_line(begin + text)
    if width is None or len(whole) <= width:
        return [whole]
    from textwrap import wrap

    return wrap(whole, max(width, _LEAST_WIDTH), subsequent_indent=" " * len(begin), break_on_hyphens=False)


def _summary(found: Counter[Level]) -> str:
    if not found[Level.BAD] and not found[Level.WARN]:
        return "all is well"
    return f"{found[Level.BAD]} bad, {counted(found[Level.WARN], 'warning')}"
