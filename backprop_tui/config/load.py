"""The settings in force: options beat the environment, which beats the project's file, the user's, the defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping

from backprop_tui.config.errors import ConfigError
from backprop_tui.config.files import PROJECT_FILES, Setting, read_file
from backprop_tui.config.keys import KEYS
from backprop_tui.config.kinds import Value, WrongValue, parse_memory_limit
from backprop_tui.domain.limits import GIGABYTE, MEGABYTE, RunLimits
from backprop_tui.domain.values import dataclass

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Settings:
    """Every key with the value in force and where that came from."""

    settings: Mapping[str, Setting]

    def __getitem__(self, name: str) -> Value:
        """The value of a key, as "gpu.max_temp_c"."""
        return self.settings[name].value

    def origin(self, name: str) -> str:
        """Where it comes from: default, /path/config.toml:12, environment BACKPROP_X, option --x."""
        return self.settings[name].origin

    def number(self, name: str) -> float:
        """A value that is a number."""
        value = self[name]
        if not isinstance(value, int | float):
            raise TypeError(f"{name} is {value!r}, no number")
        return float(value)

    def optional_number(self, name: str) -> float | None:
        """A value that is a number or none."""
        return None if self[name] is None else self.number(name)

    def text(self, name: str) -> str:
        """A value that is a text."""
        return str(self[name])

    def optional_text(self, name: str) -> str | None:
        """A value that is a text or none."""
        return None if self[name] is None else str(self[name])

    def texts(self, name: str) -> tuple[str, ...]:
        """A value that is a list."""
        value = self[name]
        return value if isinstance(value, tuple) else ()


def load(
    *,
    options: Mapping[str, tuple[object, str]],
    environment: Mapping[str, str],
    directory: str,
    user_file: str,
) -> Settings:
    """Puts the layers together.

    Args:
        options: What the command line gave, by key: the value and the option's name.
        environment: Variables; those with our prefix that name no key are for scripts, and an empty one says nothing.
        directory: Where a project's file may lie.
        user_file: The user's config.toml, or what --config names.

    Raises:
        ConfigError: any layer holds something wrong.
    """
    found = {name: Setting(key.default, DEFAULT) for name, key in KEYS.items()}
    found.update(read_file(user_file))
    project = project_file(directory)
    if project is not None and project != os.path.abspath(user_file):
        of_project = read_file(project)
        for error in refused_in_project(of_project):
            raise error
        found.update(of_project)
    for name, key in KEYS.items():
        if environment.get(key.variable):
            found[name] = _setting(name, environment[key.variable], f"environment {key.variable}")
    for name, (raw, option) in options.items():
        found[name] = _setting(name, raw, f"option {option}")
    return Settings(found)


def refused_in_project(found: Mapping[str, Setting]) -> list[ConfigError]:
    """What a project's file sets although it is the user's own."""
    advice = "is the user's own: set it in config.toml (backprop-tui config path names it), not in a project's file"
    return [ConfigError(one.origin, f"{name} {advice}") for name, one in found.items() if KEYS[name].users_own]


def wrong_variables(environment: Mapping[str, str]) -> list[ConfigError]:
    """What is wrong with the variables that set a key."""
    found: list[ConfigError] = []
    for name, key in KEYS.items():
        if environment.get(key.variable):
            try:
                _setting(name, environment[key.variable], f"environment {key.variable}")
            except ConfigError as error:
                found.append(error)
    return found


def project_file(directory: str) -> str | None:
    """The project's file in a directory, the first of its names that exists."""
    paths = (os.path.join(directory, name) for name in PROJECT_FILES)
    return next((path for path in paths if os.path.lexists(path)), None)


def _setting(name: str, raw: object, origin: str) -> Setting:
    try:
        return Setting(KEYS[name].kind.read(raw), origin)
    except WrongValue as error:
        raise ConfigError(origin, f"{name} = {raw!r}: {error}") from error


def run_limits(settings: Settings) -> RunLimits:
    """The thresholds that travel with a run queued now."""
    memory = settings.optional_text("gpu_memory_limit")
    # In the user's file it is the machine's limit, which the supervisor reads there; nearer than that it is the run's.
    of_run = not _is_machines(settings, "max_parallel")
    return RunLimits(
        min_free_ram_bytes=int(settings.number("min_free_ram_gb") * GIGABYTE),
        max_load_per_core=settings.number("governor.max_load_per_core"),
        min_free_disk_bytes=int(settings.number("governor.min_free_disk_gb") * GIGABYTE),
        max_parallel=int(settings.number("max_parallel")) if of_run else None,
        gpu_min_free_vram_bytes=int(settings.number("gpu.min_free_vram_mb") * MEGABYTE),
        gpu_max_temp_celsius=settings.number("gpu.max_temp_c"),
        gpu_resume_margin_celsius=settings.number("gpu.resume_margin_c"),
        gpu_memory_limit=None if memory is None else parse_memory_limit(memory),
        on_overheat=settings.text("governor.on_overheat"),
        on_nan=settings.text("governor.on_nan"),
        max_pause_seconds=settings.number("governor.max_pause_minutes") * 60,
    )


def _is_machines(settings: Settings, name: str) -> bool:
    origin = settings.origin(name)
    return origin == DEFAULT or (not origin.startswith(("option ", "environment ")) and not _is_project(origin))


def _is_project(origin: str) -> bool:
    path = origin.rpartition(":")[0] or origin
    return os.path.basename(path) in PROJECT_FILES or os.path.basename(origin) in PROJECT_FILES
