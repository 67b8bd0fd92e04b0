"""The entry point of the program: connects the command line with the dashboard and the demo."""

from __future__ import annotations

import gc
import os
import signal
import sys

TYPE_CHECKING = False  # of `typing`, whose import takes longer than everything else before Ctrl-C is held back

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from backprop_tui.client.run_request import RunRequest
    from backprop_tui.client.session import ClientSession
    from backprop_tui.config.load import Settings
    from backprop_tui.domain.errors import ConfigError
    from backprop_tui.store.fields import JsonObject
    from backprop_tui.store.home import Home


def main() -> int:
    """Runs a `backprop-tui` command line; returns the exit code."""
    import backprop_tui.domain.lazy_dataclass  # noqa: F401 - first, since it loads `dataclasses` faster
    from backprop_tui.cli.invocation import run_program

    return run_program(sys.argv[1:], _open_dashboard, _open_demo, _key_problems)


def _open_dashboard(home: Home, config_path: str, selected_run: str | None, is_read_only: bool) -> int:  # noqa: FBT001
    """Opens the dashboard; Textual is loaded only here."""
    from backprop_tui.tui import Mode, run_dashboard

    mode = Mode.READ_ONLY if is_read_only else Mode.NORMAL

    def demo() -> int:
        return _open_demo(home.host, config_path)

    return run_dashboard(home, config_path, selected_run, mode=mode, demo=demo, command_line=_CommandLine())


def _key_problems(settings: Settings) -> Sequence[ConfigError]:
    """What is wrong with the user's keys and commands; Textual, which knows the keys, is loaded if there are any."""
    if not (settings["keys"] or settings["commands"]):
        return ()
    from backprop_tui.tui.user_commands import user_commands

    return user_commands(settings)[1]


class _CommandLine:
    """The functions of the command line that the dashboard offers, see `tui.run_requests.CommandLine`."""

    def parse_run(self, words: Sequence[str]) -> RunRequest:
        from backprop_tui.cli.commands.run import parse_request

        return parse_request(words)

    def status(self, session: ClientSession) -> JsonObject:
        from backprop_tui.cli.commands.status import read_status, status_json

        return status_json(session, read_status(session))

    def doctor(self, session: ClientSession) -> Sequence[str]:
        from backprop_tui.cli.commands.doctor import check_machine, report_lines

        return list(report_lines(list(check_machine(session, _key_problems)), None))


def _open_demo(host: str, config_path: str) -> int:
    """Opens the demo: a dashboard with a store of its own; `config_path` provides the theme."""
    from backprop_tui.demo.run import run_demo
    from backprop_tui.tui import Mode, run_dashboard

    def open_demo_dashboard(home: Home, demo_config: str) -> int:
        return run_dashboard(home, demo_config, looks_of=config_path, mode=Mode.DEMO, command_line=_CommandLine())

    return run_demo(open_demo_dashboard, host)


def program() -> NoReturn:
    """Runs `main` as a whole process, without Python's clean-up, which takes longer than most commands."""
    if sys.getfilesystemencoding() != "utf-8":
        # What is recorded must mean the same bytes to a supervisor that was started in another locale.
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - this program again
    try:
        # While modules are imported, Ctrl-C waits: `run_program` lets it in where it is answered without a traceback.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        # Loading modules creates no garbage, and looking for some takes a tenth of a short command's time.
        gc.set_threshold(100_000)
        code = main()
    except KeyboardInterrupt:  # once more, while the first was being answered
        code = 128 + signal.SIGINT
    # All output is flushed by now; Python would only free memory.
    os._exit(code)
