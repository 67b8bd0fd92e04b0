"""A session: where settings and state are, and the supervisor. Shared by both front ends."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from backprop_tui.config.sources import APPLICATION, in_home, user_folder
from backprop_tui.domain.errors import BackpropError, SupervisorFailing, UsageError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.processes.users import ROOT, shared_with
from backprop_tui.store.failures import SUPERVISOR, repeated_failure
from backprop_tui.store.home import Home
from backprop_tui.store.hosts import needs_supervisor

if TYPE_CHECKING:
    from backprop_tui.config.load import KeyProblems, Settings
    from backprop_tui.domain.run import Run
    from backprop_tui.store.run_view import RunView


def state_directory() -> str:
    """Returns BACKPROP_HOME, else an existing ~/.backprop of the original tool, else the user's data directory."""
    chosen = os.environ.get("BACKPROP_HOME")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    original = in_home("~/.backprop")
    if os.path.isdir(original):
        return original
    return os.path.join(user_folder("XDG_DATA_HOME", "~/.local/share"), APPLICATION)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ClientSession:
    """The state directory, the configuration file and the environment that a front end works with."""

    home: Home
    config_path: str  # the user's config.toml, or the file that --config names; it may not exist
    config_named: bool = False  # whether --config named it
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)  # passed on to the runs queued here
    warnings: set[str] = field(default_factory=set)  # those of `warn_once` so far

    @property
    def supervisor(self) -> SupervisorProcess:
        """The supervisor of this user and machine. Raises: StateUnavailable, if we are root and the store is not."""
        self.home.require_own()
        if os.geteuid() == ROOT and os.path.exists(self.config_path) and shared_with(self.config_path) is not None:
            from backprop_tui.config.load import untrusted

            problem = untrusted(self.config_path)  # its commands would be executed as root
            if problem is not None:
                raise problem
        if os.path.isdir(self.home.root) and not os.access(self.home.host_folder, os.W_OK | os.X_OK):
            self.home.prepare()  # another machine made this store, or root: add the folders that this machine needs
        return SupervisorProcess(home=self.home, config_path=self.config_path)

    def settings(self) -> Settings:
        """The settings in force in the current directory."""
        from backprop_tui.config.load import load

        settings = load(**self._sources)
        for note in settings.notes:
            self.warn_once(note)
        return settings

    def valid_settings(self, key_problems: KeyProblems | None = None) -> Settings:
        """The settings in force as far as they are valid, with the problems."""
        from backprop_tui.config.load import load_valid

        return load_valid(**self._sources, key_problems=key_problems)

    def settings_problem(self) -> str | None:
        """The first error in the settings in one line, and what repairs it; None without any."""
        from backprop_tui.config.sources import may_have_settings

        directory = current_directory()
        if not (self.config_named or may_have_settings(self.config_path, directory, self.environment)):
            return None  # the other modules need not be loaded
        from backprop_tui.config.load import first_problem, read_layers

        layers = read_layers(self.config_path, directory, self.environment, named=self.config_named)
        problem = first_problem(layers)
        return None if problem is None else f"the configuration has an error: {problem}"

    @property
    def _sources(self) -> Mapping[str, Any]:
        return {
            "environment": self.environment,
            "directory": current_directory(),
            "user_file": self.config_path,
            "named": self.config_named,
        }

    def wake_supervisor(self) -> None:
        """Wakes the supervisor, or starts one, for what was just written for it.

        If supervisors keep failing it only warns: what was written stays, and repeating the command would do it twice.
        """
        try:
            self.supervisor.call()
        except SupervisorFailing as error:
            self.warn_once(str(error))

    def ensure_supervisor(self, marked: Iterable[RunView]) -> None:
        """Starts a supervisor if a marked run needs one and none is alive."""
        self.keep_supervisor(view.run for view in marked)

    def keep_supervisor(self, runs: Iterable[Run]) -> None:
        """Starts a supervisor if one of these runs needs it and none is alive.

        If that fails, or it keeps failing, it warns once: runs do not depend on this process.
        """
        if self.home.foreign_owner() is not None:
            return  # root only looks at the store of another user
        if not any(needs_supervisor(self.home, run) for run in runs):
            return
        try:
            self.supervisor.ensure()
            problem = None
        except (BackpropError, OSError) as error:
            problem = f"no supervisor could be started: {error}"
        failure = repeated_failure(self.home, SUPERVISOR)
        if failure is not None:
            problem = f"the supervisor keeps failing: {failure.reason}; backprop-tui doctor says when it is tried again"
        if problem is not None:
            self.warn_once(problem)

    def warn_once(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.add(message)
            self.warn(message)

    def warn(self, message: str) -> None:
        """Takes a warning that stops nothing; ignored unless a front end shows it."""


def current_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError as error:
        raise UsageError("the directory you are in was removed", "go to another one: cd") from error
