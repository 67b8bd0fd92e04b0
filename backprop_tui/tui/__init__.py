"""The dashboard: running and waiting runs on one screen, from the same files that the commands read."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from backprop_tui.store.home import Home

if TYPE_CHECKING:
    from backprop_tui.tui.app import Dashboard
    from backprop_tui.tui.commands import CommandRunner
    from backprop_tui.tui.run_requests import CommandLine
    from backprop_tui.tui.terminal import TerminalProbe

RECORD_SECONDS = 3.0  # how long closing waits until requests are on disk
SWITCH_SECONDS = 0.0005  # a tenth of Python's default
# Exported by some shells and by readline, and outdated after a resize; Textual would trust them.
_SIZE_VARIABLES = ("COLUMNS", "LINES")


class Mode(StrEnum):
    """What a dashboard is for; the runs of a demo are deleted afterwards, and one that is read-only changes nothing."""

    NORMAL = "normal"
    DEMO = "demo"
    READ_ONLY = "read-only"


def run_dashboard(
    home: Home,
    config_path: str,
    selected_run: str | None = None,
    *,
    looks_of: str | None = None,
    mode: Mode = Mode.NORMAL,
    demo: Callable[[], int] | None = None,
    command_line: CommandLine | None = None,
) -> int:
    """Runs the dashboard and returns the exit code.

    Args:
        home: The state directory, which need not exist.
        config_path: The user's config.toml, which need not exist.
        selected_run: The id of the run that is selected at first.
        looks_of: The config.toml with the settings of the dashboard's appearance; by default `config_path`.
        mode: Whether this is the demo, or changes nothing.
        demo: Runs the demo and returns its exit code; the dashboard then comes back.
        command_line: The functions of the command line that the dashboard offers; without it no run can be started.

    Raises:
        StateUnavailable, StorageFailed: the state directory cannot be created or read.
        ModuleNotFoundError: Textual is not installed.
    """
    import os

    _require_textual()
    for name in _SIZE_VARIABLES:
        os.environ.pop(name, None)
    while True:
        app, code = _run_once(home, config_path, selected_run, looks_of=looks_of, mode=mode, command_line=command_line)
        if not app.wants_demo:
            return code
        demo_code = 0 if demo is None else demo()
        if demo_code:  # a signal ended the demo and is meant to end the whole program
            return demo_code


def _require_textual() -> None:
    """Raises ModuleNotFoundError before the terminal is asked anything: the shell would get its answers."""
    from backprop_tui.processes.programs import is_installed

    if not is_installed("textual"):
        raise ModuleNotFoundError("No module named 'textual'", name="textual")


def load_asyncio() -> None:
    """Imports asyncio without OpenSSL, which is slow to load and only serves connections."""
    import sys

    if "ssl" in sys.modules:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment] # an import raises ModuleNotFoundError
    try:
        import asyncio  # noqa: F401
    finally:
        del sys.modules["ssl"]


def _run_once(
    home: Home,
    config_path: str,
    selected_run: str | None,
    *,
    looks_of: str | None,
    mode: Mode,
    command_line: CommandLine | None,
) -> tuple[Dashboard, int]:
    """Runs a new dashboard until it is left; returns it with its exit code."""
    from backprop_tui.tui.terminal import TerminalProbe, ended_by_signals

    probe = TerminalProbe()
    probe.ask()  # first, so that the terminal answers while Textual is loaded
    load_asyncio()
    try:
        from backprop_tui.tui.commands import CommandRunner

        runner = CommandRunner(home, config_path, command_line, mode)
        app = dashboard(home, config_path, selected_run, probe=probe, looks_of=looks_of, mode=mode, runner=runner)
        with ended_by_signals(app.leave, attributes=probe.attributes):
            code = app.run() or 0
        runner.wait_until_recorded(RECORD_SECONDS)
        runner.forget_changes(RECORD_SECONDS)
        return app, code
    finally:
        probe.close()


def dashboard(
    home: Home,
    config_path: str,
    selected_run: str | None = None,
    *,
    probe: TerminalProbe | None = None,
    looks_of: str | None = None,
    mode: Mode = Mode.NORMAL,
    runner: CommandRunner | None = None,
) -> Dashboard:
    """Creates the application without running it; see `run_dashboard`. `probe` has queried the terminal."""
    import os
    import sys

    from backprop_tui.tui.late_modules import load_textual

    load_textual()
    from backprop_tui.tui import absence, app, bridge, commands, notifications, terminal, theme
    from backprop_tui.tui.charts.source import ChartReader

    # A key passes through four threads until it is painted; each waits this long while another thread is busy.
    sys.setswitchinterval(SWITCH_SECONDS)
    answer = terminal.UNKNOWN_TERMINAL if probe is None else probe.answer()
    _patch_textual(answer.typed, None if probe is None else probe.note_answer)
    prefs = theme.load_preferences(looks_of or config_path, os.environ, answer, is_demo=mode is Mode.DEMO)
    if home.foreign_owner() is None and mode is not Mode.READ_ONLY:
        home.prepare()
    focus = absence.WindowFocus()
    end_command = notifications.EndCommand(home, prefs.end_command)
    source = bridge.Bridge(home, config_path, prefs.refresh_seconds, focus, mode=mode, end_command=end_command)
    runner = runner or commands.CommandRunner(home, config_path)
    return app.Dashboard(source, runner, prefs, charts=ChartReader(home), selected_run=selected_run, focus=focus)


def _patch_textual(typed: bytes, note_answer: Callable[[], None] | None = None) -> None:
    try:
        from backprop_tui.tui.textual_patches import terminal_io
    except (ImportError, AttributeError):
        return  # another Textual, without the private parts that are patched; it works as it is
    terminal_io.apply(typed, note_answer)
