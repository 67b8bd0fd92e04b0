"""One invocation of the program: the client's session with the global options, and Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from backprop_tui.cli import diagnostics
from backprop_tui.client.session import ClientSession, state_directory
from backprop_tui.config.sources import user_config_path
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.store.home import Home
from backprop_tui.store.hosts import this_host
from backprop_tui.store.run_view import unfinished_views

if TYPE_CHECKING:
    from backprop_tui.config.load import KeyProblems
    from backprop_tui.domain.run import Run

# Shows the state directory with the settings of a file, a run selected if one is named, perhaps read-only; returns the
# exit code.
Dashboard = Callable[[Home, str, str | None, bool], int]
# Shows the demo on this host with the appearance set in a configuration file; returns the exit code.
Demo = Callable[[str, str], int]


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Session(ClientSession):
    json: bool = False
    verbose: bool = False
    dry_run: bool = False
    no_ui: bool = False
    open_dashboard: Dashboard | None = None
    key_problems: KeyProblems | None = None

    @property
    def dashboard(self) -> Dashboard | None:
        """Opens the dashboard; None if something prevents it."""
        return self.open_dashboard if self.dashboard_obstacle is None else None

    @property
    def dashboard_obstacle(self) -> str | None:
        """Why the dashboard cannot be opened; None if it can."""
        options = {"--no-ui": self.no_ui, "--json": self.json, "--dry-run": self.dry_run}
        for option, is_given in options.items():
            if is_given:
                return f"{option} was given"
        if not (os.isatty(0) and os.isatty(1)):
            return f"standard {'output' if os.isatty(0) else 'input'} is not a terminal"
        kind = os.environ.get("TERM", "")
        if kind in ("", "dumb"):
            return f"TERM is {kind or 'not set'} (if the terminal can draw: export TERM=xterm-256color)"
        return None if self.open_dashboard is not None else "this program has none"

    def keep_supervisor(self, runs: Iterable[Run]) -> None:
        if not self.dry_run:
            ClientSession.keep_supervisor(self, runs)

    def warn_of_settings(self) -> None:
        """Says what is wrong with the settings, for commands that do without; JSON has no field for it."""
        problem = None if self.json else self.settings_problem()
        if problem is not None:
            self.warn_once(problem)

    def warn(self, message: str) -> None:
        diagnostics.complain(message)


def open_session(*, config: str | None, **fields: Any) -> Session:  # noqa: ANN401 - the other fields
    """Finds the state directory; creates nothing."""
    home = Home(str(state_directory()), this_host())
    path = os.path.abspath(config) if config is not None else user_config_path()
    return Session(home=home, config_path=path, config_named=config is not None, **fields)


class Interrupts:
    """Counts SIGINT while entered: the first stops the runs, the second kills them, the third leaves them."""

    def __init__(self) -> None:
        self.count = 0
        self._before: Any = signal.SIG_DFL

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1


def require_named_or_all(arguments: argparse.Namespace) -> None:
    if arguments.all and arguments.runs:
        raise UsageError("--all is every unfinished run", "give it or RUN, not both")
    if not arguments.all and not arguments.runs:
        raise UsageError("RUN is missing", "name runs, or give --all for every unfinished run")


def named_or_all(arguments: argparse.Namespace, session: Session) -> list[str]:
    """The ids of the runs that were named, or with --all those of the unfinished ones."""
    from backprop_tui.client.handles import resolve_all  # slow to import, and not every command needs it

    require_named_or_all(arguments)
    if arguments.all:
        return [view.run.id for view in unfinished_views(session.home)]
    return resolve_all(session, arguments.runs)
