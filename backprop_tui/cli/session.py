"""What every command works with: where state lives, how the supervisor is called, how to answer."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from backprop_tui.config.paths import state_directory, user_config_path
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.store.home import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One invocation of the program."""

    home: Home
    config_path: str  # the user's config.toml, or what --config names; it may not exist
    json: bool = False
    verbose: bool = False
    dry_run: bool = False
    no_ui: bool = False

    @property
    def supervisor(self) -> SupervisorProcess:
        """The supervisor of this user and machine."""
        return SupervisorProcess(home=self.home, config_path=self.config_path)


def host_name() -> str:
    """The name of this machine in the records; BACKPROP_HOST tells namesakes apart."""
    return os.environ.get("BACKPROP_HOST") or socket.gethostname()


def open_session(*, config: str | None, **flags: bool) -> Session:
    """Finds the state directory; makes nothing."""
    home = Home(str(state_directory()), host_name())
    path = os.path.abspath(config) if config is not None else str(user_config_path())
    return Session(home=home, config_path=path, **flags)
