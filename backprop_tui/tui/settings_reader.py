"""Reads the limits of the machine and what is wrong in the settings, again when their files change."""

from __future__ import annotations

import os
from contextlib import suppress

from backprop_tui.client.session import current_directory
from backprop_tui.config.load import load_valid, machine_limits
from backprop_tui.config.sources import project_file
from backprop_tui.domain.errors import ConfigError, UsageError
from backprop_tui.domain.limits import MachineLimits
from backprop_tui.store.watched_file import WatchedFile
from backprop_tui.tui.snapshot import WrongSetting


class WatchedSettings:
    """Whether the files of the settings have changed: the user's, and that of the project in the current directory."""

    def __init__(self, user_file: str) -> None:
        self._user_file = WatchedFile(user_file)
        self._project: WatchedFile | None = None

    @property
    def user_file(self) -> str:
        return self._user_file.path

    @property
    def directory(self) -> str:
        """The current directory; empty if it was removed, so that it has no project's file either."""
        with suppress(UsageError):
            return current_directory()
        return ""

    def changed(self) -> bool:
        """Whether a file has changed, appeared or vanished since the last call; the first time True."""
        path = project_file(self.directory)
        is_another = path != (None if self._project is None else self._project.path)
        if is_another:
            self._project = None if path is None else WatchedFile(path)
        is_edited = self._project is not None and self._project.changed()
        return self._user_file.changed() or is_another or is_edited


class SettingsReader:
    """The valid limits that were read last, as the supervisor keeps them, and the first of the errors."""

    def __init__(self, config_path: str) -> None:
        self._files = WatchedSettings(config_path)
        self.limits = MachineLimits()
        self.wrong: WrongSetting | None = None

    def read(self) -> None:
        files = self._files
        if not files.changed():
            return
        with suppress(ConfigError):
            self.limits = machine_limits(files.user_file)
        settings = load_valid(environment=os.environ, directory=files.directory, user_file=files.user_file)
        self.wrong = WrongSetting.of(settings.problems)
