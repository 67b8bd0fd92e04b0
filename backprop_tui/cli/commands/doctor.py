"""`doctor`: checks whether this machine is fit for runs, and says how to fix what is not."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from backprop_tui.cli import output, tables
from backprop_tui.cli.doctor import Finding, Level, machine, state
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.client.machine import MachineProbe, machine_settings
from backprop_tui.client.session import current_directory
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
    findings = list(_findings(session))
    counts = Counter(finding.level for finding in findings)
    if session.json:
        output.json_value({"ok": not counts[Level.BAD], "checks": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            _show(finding)
        output.line()
        bad, warnings = counts[Level.BAD], counts[Level.WARN]
        output.line(f"{bad} bad, {counted(warnings, 'warning')}" if bad or warnings else "all is well")
    return SOMETHING_BAD if counts[Level.BAD] else OK


def _findings(session: Session) -> Iterator[Finding]:
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
    yield from machine.check_terminal(os.environ, size=machine.terminal_size())


def _limits(session: Session) -> RunLimits:
    """If the settings are wrong, their own check says so."""
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
    """Wrapped to the width of the terminal and indented by the length of `begin`; one line if there is no terminal."""
    width = output.width()
    whole = tables.one_line(begin + text)
    if width is None or len(whole) <= width:
        return [whole]
    from textwrap import wrap

    return wrap(whole, max(width, _LEAST_WIDTH), subsequent_indent=" " * len(begin), break_on_hyphens=False)
