"""What every command works with: where state lives, how the supervisor is called, how to answer."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from backprop_tui.config.paths import state_directory, user_config_path
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.values import dataclass
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.store.home import Home

if TYPE_CHECKING:
    from backprop_tui.config.load import Settings

# Shows the state directory with the settings of a file, a run selected where one is named; returns the exit code.
Dashboard = Callable[[Home, str, str | None], int]
# Shows the demo on this host, in the looks that a file says; returns the exit code.
Demo = Callable[[str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One invocation of the program."""

    home: Home
    config_path: str  # the user's config.toml, or what --config names; it may not exist
    config_named: bool = False  # by --config
    json: bool = False
    verbose: bool = False
    dry_run: bool = False
    no_ui: bool = False
    open_dashboard: Dashboard | None = None

    @property
    def dashboard(self) -> Dashboard | None:
        """What opens the dashboard; None where one is not wanted, or nobody would see it."""
        wanted = not (self.no_ui or self.json or self.dry_run) and os.environ.get("TERM", "dumb") != "dumb"
        seen = wanted and os.isatty(0) and os.isatty(1)
        return self.open_dashboard if seen else None

    @property
    def supervisor(self) -> SupervisorProcess:
        """The supervisor of this user and machine; where another machine made the store, with what this one needs."""
        if os.path.isdir(self.home.root) and not os.path.isdir(self.home.host_folder):
            self.home.prepare()
        return SupervisorProcess(home=self.home, config_path=self.config_path)

    def settings(self) -> Settings:
        """The settings in force here, before the options of a command.

        Raises:
            UsageError: the file that --config names is not there, or some layer holds something wrong.
        """
        from backprop_tui.config.load import load

        if self.config_named and not os.path.exists(self.config_path):
            raise UsageError(f"--config {self.config_path}: there is no such file")
        return load(options={}, environment=os.environ, directory=here(), user_file=self.config_path)


def host_name() -> str:
    """The name of this machine in the records; BACKPROP_HOST tells namesakes apart."""
    return os.environ.get("BACKPROP_HOST") or os.uname().nodename


def here() -> str:
    """The directory the command was given in.

    Raises:
        UsageError: it was removed.
    """
    try:
        return os.getcwd()
    except FileNotFoundError as error:
        raise UsageError("the directory you are in was removed; go to another one") from error


def open_session(*, config: str | None, open_dashboard: Dashboard | None = None, **flags: bool) -> Session:
    """Finds the state directory; makes nothing."""
    home = Home(str(state_directory()), host_name())
    path = os.path.abspath(config) if config is not None else user_config_path()
    named = config is not None
    return Session(home=home, config_path=path, config_named=named, open_dashboard=open_dashboard, **flags)
