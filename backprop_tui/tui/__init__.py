"""The dashboard: one screen of what runs, what waits and why, over the files that every front end reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from backprop_tui.store.home import Home

if TYPE_CHECKING:
    from backprop_tui.tui.app import Dashboard
    from backprop_tui.tui.terminal_probe import TerminalProbe

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
) -> int:
    """Shows the dashboard until it is left; the exit code.

    Args:
        home: The state directory, which need not exist.
        config_path: The user's config.toml, which need not exist.
        selected_run: The id of the run that the cursor begins at.
        looks_of: The config.toml that says how it looks; None: that of `config_path`.
        is_demo: Nothing in it is meant to last.
        demo: Shows the demo until that is left; the dashboard then comes back.

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
            app = dashboard(home, config_path, selected_run, probe=probe, looks_of=looks_of, is_demo=is_demo)
            from backprop_tui.tui.signals import ended_by_signals

            with ended_by_signals(app.leave, attributes=probe.attributes):
                code = app.run() or 0
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
) -> Dashboard:
    """The application, put together and not yet shown. Arguments and errors: see `run_dashboard`.

    `probe` has asked the terminal; None: nothing is known of it.
    """
    import os
    import sys
    from dataclasses import replace

    from backprop_tui.tui.app import Dashboard
    from backprop_tui.tui.bridge import Bridge
    from backprop_tui.tui.focus import WindowFocus
    from backprop_tui.tui.notices.command import EndCommand
    from backprop_tui.tui.notices.terminal import TerminalNotices
    from backprop_tui.tui.preferences import load_preferences
    from backprop_tui.tui.reading.metrics_file import ChartReader
    from backprop_tui.tui.requests import CommandDesk
    from backprop_tui.tui.terminal_probe import UNKNOWN_TERMINAL
    from backprop_tui.tui.textual_patches import driver, input_parser, partial_updates

    # A key goes through four threads until it is painted; while another one works, each waits this long for its turn.
    sys.setswitchinterval(SWITCH_SECONDS)
    partial_updates.apply()
    driver.apply()
    terminal = UNKNOWN_TERMINAL if probe is None else probe.answer()
    input_parser.apply(terminal.typed)
    settled = load_preferences(looks_of or config_path, os.environ, terminal)
    if is_demo:  # nothing in it is worth calling anybody
        settled = replace(settled, notices=TerminalNotices(), end_command=None)
    home.prepare()
    focus = WindowFocus()
    end_command = EndCommand(home, settled.end_command)
    bridge = Bridge(home, config_path, settled.refresh_seconds, focus, is_demo=is_demo, end_command=end_command)
    desk = CommandDesk(home, config_path)
    return Dashboard(bridge, desk, settled, charts=ChartReader(home), selected_run=selected_run, focus=focus)
