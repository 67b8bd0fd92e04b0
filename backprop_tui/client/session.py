"""Where a front end works: the state directory, the user's settings, and the supervisor."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from backprop_tui.domain.errors import BackpropError, UsageError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.store.home import Home

if TYPE_CHECKING:
    from backprop_tui.config.load import Settings
    from backprop_tui.store.run_view import RunView


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ClientSession:
    """The state directory, the configuration file and the environment that a front end works with."""

    home: Home
    config_path: str  # the user's config.toml, or the file that --config names; it may not exist
    config_named: bool = False  # whether --config named it
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)  # passed on to the runs queued here

    @property
    def supervisor(self) -> SupervisorProcess:
        """The supervisor of this user and machine."""
        if os.path.isdir(self.home.root) and not os.path.isdir(self.home.host_folder):
            self.home.prepare()  # another machine made this store: add the folders that this machine needs
        return SupervisorProcess(home=self.home, config_path=self.config_path)

    def settings(self) -> Settings:
        """The settings in force in the current directory."""
        from backprop_tui.config.load import load

        if self.config_named and not os.path.exists(self.config_path):
            raise UsageError(f"--config {self.config_path}: there is no such file")
        return load(options={}, environment=self.environment, directory=current_directory(), user_file=self.config_path)

    def ensure_supervisor(self, unfinished: Iterable[RunView]) -> None:
        """Starts a supervisor if runs of this machine are unfinished and none is alive; warns if that fails."""
        if not any(view.run.host == self.home.host for view in unfinished):
            return
        try:
            self.supervisor.ensure()
        except (BackpropError, OSError) as error:
            self.warn(f"no supervisor could be started: {error}")

    def warn(self, message: str) -> None:
        """Takes a warning that stops nothing; ignored unless a front end shows it."""


def current_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError as error:
        raise UsageError("the directory you are in was removed; go to another one") from error
