"""Settings files in the directory of a test."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from backprop_tui.config.load import Settings, load
from backprop_tui.domain.errors import ConfigError


@dataclass(frozen=True)
class Machine:
    """A user's file and a working directory, both empty at first."""

    user_file: Path
    directory: Path

    @classmethod
    def below(cls, folder: Path) -> Machine:
        directory = folder / "project"
        directory.mkdir()
        return cls(user_file=folder / "config.toml", directory=directory)

    def load(self, environment: Mapping[str, str] | None = None) -> Settings:
        return load(environment=environment or {}, directory=str(self.directory), user_file=str(self.user_file))

    def refusal(self, environment: Mapping[str, str] | None = None) -> str:
        """What is said when the settings cannot be loaded, without the usual hint."""
        with pytest.raises(ConfigError) as caught:
            self.load(environment)
        assert caught.value.exit_code == 2
        return re.sub(r";? `[^`]* check` lists all problems$", "", str(caught.value))
