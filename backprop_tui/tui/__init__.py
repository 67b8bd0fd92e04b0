"""The dashboard: one screen of what runs, what waits and why, over the files that every front end reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from backprop_tui.store.home import Home

if TYPE_CHECKING:
    from backprop_tui.tui.app import Dashboard
    from backprop_tui.tui.commands import CommandRunner, RunParser
    from backprop_tui.tui.terminal_probe import TerminalProbe

RECORD_SECONDS = 3.0  # how long leaving waits until what was asked for is on disk
SWITCH_SECONDS = 0.0005  # a tenth of Python's own
# Exported by some shells and by readline, and never true again after a resize; Textual would believe them.
_SIZE_VARIABLES = ("COLUMNS", "LINES")


def run_dashboard(
    home: Home,
    config_path: str,
    selected_run: str | None = None,
    *,
    looks_of: str | None = None,
    is_demo: bool = False,
    demo: Callable[[], int] | None = None,
    parse_run: RunParser | None = None,
) -> int:
    """Shows the dashboard until it is left; the exit code.

    Args:
        home: The state directory, which need not exist.
        config_path: The user's config.toml, which need not exist.
        selected_run: The id of the run that the cursor begins at.
        looks_of: The config.toml that says how it looks; None: that of `config_path`.
        is_demo: Nothing in it is meant to last.
        demo: Shows the demo until that is left; the dashboard then comes back.
        parse_run: Parses the words that follow `run` on a command line; None: the dashboard cannot start runs.

    Raises:
        ConfigError: a setting is wrong.
        StateUnavailable, StorageFailed: the state directory cannot be made or read.
    """
    import os

    from backprop_tui.tui.terminal_probe import TerminalProbe

    for name in _SIZE_VARIABLES:
        os.environ.pop(name, None)
    while True:
        probe = TerminalProbe()
        probe.ask()  # first, so that it answers while Textual is loaded
        try:
            from backprop_tui.tui.commands import CommandRunner

            runner = CommandRunner(home, config_path, parse_run)
            app = dashboard(
                home, config_path, selected_run, probe=probe, looks_of=looks_of, is_demo=is_demo, runner=runner
            )
            from backprop_tui.tui.signals import ended_by_signals

            with ended_by_signals(app.leave, attributes=probe.attributes):
                code = app.run() or 0
            runner.wait_until_recorded(RECORD_SECONDS)
        finally:
            probe.close()
        if not app.wants_demo:
            return code
        ended = 0 if demo is None else demo()
        if ended:  # by a signal, which meant the whole program
            return ended


def dashboard(
    home: Home,
    config_path: str,
    selected_run: str | None = None,
    *,
    probe: TerminalProbe | None = None,
    looks_of: str | None = None,
    is_demo: bool = False,
    runner: CommandRunner | None = None,
) -> Dashboard:
    """The application, put together and not yet shown. Arguments and errors: see `run_dashboard`.

    `probe` has asked the terminal; None: nothing is known of it.
    """
    import os
    import sys
    from dataclasses import replace

    from backprop_tui.tui import terminal_input, textual_crop, textual_driver
    from backprop_tui.tui.app import Dashboard
    from backprop_tui.tui.attention import Attention
    from backprop_tui.tui.bridge import Bridge
    from backprop_tui.tui.commands import CommandRunner
    from backprop_tui.tui.notices.command import EndCommand
    from backprop_tui.tui.notices.terminal import TerminalNotices
    from backprop_tui.tui.preferences import preferences
    from backprop_tui.tui.reading.metrics_file import ChartReader
    from backprop_tui.tui.requests import CommandDesk
    from backprop_tui.tui.terminal_probe import NOTHING_KNOWN

    # A key goes through four threads until it is painted; while another one works, each waits this long for its turn.
    sys.setswitchinterval(SWITCH_SECONDS)
    textual_crop.apply()
    textual_driver.apply()
    terminal = NOTHING_KNOWN if probe is None else probe.answer()
    terminal_input.apply(terminal.typed)
    settled = preferences(looks_of or config_path, os.environ, terminal)
    if is_demo:  # nothing in it is worth calling anybody
        settled = replace(settled, notices=TerminalNotices(), end_command=None)
    home.prepare()
    attention = Attention()
    end_command = EndCommand(home, settled.end_command)
    bridge = Bridge(home, config_path, settled.refresh_seconds, attention, is_demo=is_demo, end_command=end_command)
    desk = CommandDesk(runner or CommandRunner(home, config_path))
    return Dashboard(bridge, desk, settled, charts=ChartReader(home), selected_run=selected_run, attention=attention)
