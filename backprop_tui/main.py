"""The program: puts the rooms together."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backprop_tui.client.run_request import RunRequest
    from backprop_tui.store.home import Home


def main() -> int:
    """What `backprop-tui` on the command line does; returns the exit code."""
    from backprop_tui.cli.invocation import run_program

    return run_program(sys.argv[1:], _open_dashboard, _open_demo)


def _open_dashboard(home: Home, config_path: str, selected_run: str | None) -> int:
    """Loads Textual only where a dashboard is opened."""
    from backprop_tui.tui import run_dashboard

    def demo() -> int:
        return _open_demo(home.host, config_path)

    return run_dashboard(home, config_path, selected_run, demo=demo, parse_run=_parse_run)


def _parse_run(words: Sequence[str]) -> RunRequest:
    """Parses a command line typed into the dashboard."""
    from backprop_tui.cli.commands.run import parse_request

    return parse_request(words)


def _open_demo(host: str, config_path: str) -> int:
    """A dashboard of its own store; `config_path` says how it looks."""
    from backprop_tui.demo.play import play
    from backprop_tui.tui import run_dashboard

    def show(home: Home, demo_config: str) -> int:
        return run_dashboard(home, demo_config, looks_of=config_path, is_demo=True, parse_run=_parse_run)

    return play(show, host)


def program() -> NoReturn:
    """As `main`, for a process that is nothing else: most commands live shorter than Python takes to tidy up."""
    # Before anything is loaded: that makes no garbage, and looking for some costs a tenth of a short command.
    gc.set_threshold(100_000)
    # All that was written is flushed by now; what Python would do from here on is freeing memory.
    os._exit(main())
