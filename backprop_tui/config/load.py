"""Loads the settings: the environment overrides the project's file, then the user's file and the defaults."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from backprop_tui.config.files import (
    Setting,
    line_of_item,
    location,
    original_arguments_in,
    read_file,
    read_text,
    read_valid,
)
from backprop_tui.config.keys import KEYS
from backprop_tui.config.kinds import Table, Value, WrongValue, as_text, parse_memory_limit
from backprop_tui.config.sources import PROJECT_FILES, config_command, project_file
from backprop_tui.domain.errors import ConfigError, UntrustedConfig
from backprop_tui.domain.formatting import shortened
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import (
    DISK_GIGABYTE,
    GIGABYTE,
    MACHINE_SETTINGS,
    MEGABYTE,
    MachineLimits,
    RunLimits,
)
from backprop_tui.processes.users import shared_with

DEFAULT = "default"
_ENVIRONMENT = "environment "


@lazy_dataclass(frozen=True, slots=True)
class Settings:
    """The effective value of every key, and where it comes from.

    `notes` are what the user has to know about a project's file: what it executes, and what of it is left out.
    `problems` are what is wrong in the files and variables.
    """

    settings: Mapping[str, Setting]
    notes: Sequence[str] = ()
    problems: Sequence[ConfigError] = ()

    def __getitem__(self, name: str) -> Value:
        """The value of a key, as "gpu.max_temp_c"."""
        return self.settings[name].value

    def origin(self, name: str) -> str:
        """Where the value comes from: default, /path/config.toml:12, environment BACKPROP_X."""
        return self.settings[name].origin

    def origin_of_item(self, name: str, item: str | int) -> str:
        """Where an item of a table was set: a key in it, or its number if there are several tables of the name."""
        origin = self.origin(name)
        path, _, line = origin.rpartition(":")
        content = read_text(path) if line.isdecimal() else None
        return origin if content is None else location(path, line_of_item(content, name, item) or int(line))

    def stronger_than_file(self, name: str) -> str:
        """What applies in place of the value in the user's file: `240 of /a/backprop.toml:1`; empty if that does.

        What concerns the machine is read from that file alone, except for the limit of runs that are queued here.
        """
        if _is_from_user_file(self, name) or (name in MACHINE_SETTINGS and name != "max_parallel"):
            return ""
        here = " to runs queued here" if name in MACHINE_SETTINGS else ""
        origin = self.origin(name).removeprefix(_ENVIRONMENT)
        return f"{as_text(self[name]) or '(empty)'} of {origin} applies{here}"

    def number(self, name: str) -> float:
        value = self[name]
        if not isinstance(value, int | float):
            raise TypeError(f"{name} is {value!r}, not a number")
        return float(value)

    def optional_number(self, name: str) -> float | None:
        return None if self[name] is None else self.number(name)

    def text(self, name: str) -> str:
        return str(self[name])

    def optional_text(self, name: str) -> str | None:
        return None if self[name] is None else str(self[name])

    def texts(self, name: str) -> tuple[str, ...]:
        value = self[name]
        return tuple(item for item in value if isinstance(item, str)) if isinstance(value, tuple) else ()

    def table(self, name: str) -> Table:
        value = self[name]
        return value if isinstance(value, Mapping) else {}

    def tables(self, name: str) -> tuple[Table, ...]:
        value = self[name]
        return tuple(item for item in value if isinstance(item, Mapping)) if isinstance(value, tuple) else ()


# Finds what is wrong with keys and commands: only the dashboard knows its keys.
KeyProblems = Callable[[Settings], Sequence[ConfigError]]


def load(*, environment: Mapping[str, str], directory: str, user_file: str, named: bool = False) -> Settings:
    """Loads and merges all layers.

    Empty variables are ignored, and so are BACKPROP_ variables that match no key, since scripts get variables with the
    same prefix. `directory` may have a project's file; `user_file` is the user's config.toml, or with `named` that of
    --config, which must exist. Raises ConfigError if a layer has an error.
    """
    layers = read_layers(user_file, directory, environment, named=named)
    problem = first_problem(layers)
    if problem is not None:
        raise problem
    return merged(layers)


def first_problem(layers: Sequence[Layer]) -> ConfigError | None:
    """The first error of these layers, with what repairs it and what lists the others; None without any."""
    problems = [(layer, problem) for layer in layers for problem in layer.problems]
    if not problems:
        return None
    (layer, problem), *_ = problems
    check = f"`{config_command(layers[0].path)} check` lists all problems"
    hints = (problem.hint, _repair(problem, layer, user=layers[0]), check)
    hint = "; ".join(filter(None, hints)).replace("?; ", "? ")
    return type(problem)(problem.where, problem.problem, hint, key=problem.key)


def _repair(problem: ConfigError, layer: Layer, *, user: Layer) -> str | None:
    """What repairs an error of one of the layers, if that is known."""
    if problem.where.startswith(_ENVIRONMENT):
        return f"`unset {problem.where.removeprefix(_ENVIRONMENT)}` takes it back"
    if layer is not user or problem.repair is None:
        return None
    verb = "removes" if problem.repair.startswith("unset") else "repairs"
    return f"`{config_command(user.path)} {problem.repair}` {verb} it"


def load_valid(
    *,
    environment: Mapping[str, str],
    directory: str,
    user_file: str,
    named: bool = False,
    key_problems: KeyProblems | None = None,
) -> Settings:
    """Loads and merges what is valid of all layers, as `load` does; what is wrong is among the problems."""
    return merged(with_key_problems(read_layers(user_file, directory, environment, named=named), key_problems))


@lazy_dataclass(frozen=True, slots=True)
class Layer:
    """One source of settings: those that are valid, and the errors in the others."""

    name: str
    settings: Mapping[str, Setting]
    problems: Sequence[ConfigError]
    remarks: Sequence[str] = ()
    notes: Sequence[str] = ()  # for `Settings`
    is_project: bool = False
    path: str = ""  # of the user's file


def read_layers(user_file: str, directory: str, environment: Mapping[str, str], *, named: bool) -> list[Layer]:
    """The user's file, the project's file if there is one, and the variables; `named`: by --config."""
    layers = [replace(_user_layer(user_file, named=named), path=user_file)]
    project = project_file(directory)
    if project is not None and project != os.path.abspath(user_file):
        layers.append(_project_layer(project))
    return [*layers, _environment_layer(environment)]


def with_key_problems(layers: Sequence[Layer], key_problems: KeyProblems | None) -> list[Layer]:
    """The layers of `read_layers` with what is wrong in keys and commands, which only the user's own file may set."""
    user, *others = layers
    problems = [] if key_problems is None else key_problems(merged([user]))
    return [replace(user, problems=[*user.problems, *problems]), *others]


def merged(layers: Sequence[Layer]) -> Settings:
    """The settings in force: the last layer that sets a key wins. What is wrong in a layer is left out.

    A project's file may only tighten the limits that the user has set.
    """
    settings = _defaults()
    notes: list[str] = []
    for layer in layers:
        lifted = _lifted(layer, settings) if layer.is_project else {}
        settings |= {name: setting for name, setting in layer.settings.items() if name not in lifted}
        notes += [*layer.notes, *lifted.values()]
    return Settings(settings, notes, [problem for layer in layers for problem in layer.problems])


def _lifted(layer: Layer, before: Mapping[str, Setting]) -> dict[str, str]:
    """The keys by which a project's file would lift a limit of the user, and what to say about each."""
    lifted = {}
    for name, setting in layer.settings.items():
        strict, users = KEYS[name].strict, before[name]
        is_limited = strict is not None and users.origin != DEFAULT and isinstance(setting.value, int | float)
        if strict is not None and is_limited and strict.is_stricter(users.value, setting.value):
            reason = f"the stricter {name} = {users.value} of {users.origin} stays"
            lifted[name] = f"{setting.origin}: {name} = {setting.value} is not used: {reason}"
    return lifted


def _user_layer(path: str, *, named: bool) -> Layer:
    problem = untrusted(path, root_looks=True)
    if problem is not None:
        return Layer(path, {}, [problem])
    layer = _file_layer(path)
    if layer.problems or os.path.exists(path):
        return layer
    if named:
        hint = f"to create it: backprop-tui --config {path} config init"
        return Layer(path, {}, [ConfigError(f"--config {path}", "there is no such file", hint)])
    remarks = [f"{other} is not read; move it here" for other in _similar_files(path)]
    return Layer(f"{path} (there is none, so the defaults apply)", {}, (), remarks)


def untrusted(path: str, *, root_looks: bool = False) -> ConfigError | None:
    """What is wrong with a user's file that another user could change; None if nobody could."""
    reason = shared_with(path, root_looks=root_looks)
    return None if reason is None else UntrustedConfig(path, f"it {reason}", f"chmod go-w {path}, or own it")


def _similar_files(path: str) -> list[str]:
    """Files of the same name in folders whose names contain that of the folder, such as `backprop-tui`."""
    folder, name = os.path.split(path)
    parent, folder_name = os.path.split(folder)
    try:
        folders = sorted(other for other in os.listdir(parent) if folder_name in other.lower())
    except OSError:
        return []
    return [other for other in (os.path.join(parent, folder, name) for folder in folders) if os.path.isfile(other)]


def _project_layer(path: str) -> Layer:
    """A project's file; only the user's own may set what concerns the whole machine.

    Nothing is executed because a file of another user says so.
    """
    layer = _file_layer(path)
    allowed = {name: setting for name, setting in layer.settings.items() if not KEYS[name].user_only}
    programs = {name: setting for name, setting in allowed.items() if KEYS[name].is_program}
    reason = shared_with(path)
    consequence = "is used, as this project says" if reason is None else f"is not used: the file {reason}"
    notes = [f"{setting.origin}: {name} = {setting.value} {consequence}" for name, setting in programs.items()]
    advice = "may only be set in the user's config.toml (see backprop-tui config path), not in a project's file"
    refused = [
        ConfigError(setting.origin, f"{name} {advice}", key=name)
        for name, setting in layer.settings.items()
        if name not in allowed
    ]
    used = allowed if reason is None else {name: allowed[name] for name in allowed.keys() - programs.keys()}
    problems = [*layer.problems, *refused]
    return Layer(path, used, problems, layer.remarks, notes=notes, is_project=True)


def _file_layer(path: str) -> Layer:
    settings, problems = read_valid(path)
    ignored = [] if problems else original_arguments_in(path)
    remarks = [f"{', '.join(ignored)}: not a setting; give it to `run`"] if ignored else []
    return Layer(path, settings, problems, remarks)


def _environment_layer(environment: Mapping[str, str]) -> Layer:
    settings: dict[str, Setting] = {}
    problems: list[ConfigError] = []
    for name, key in KEYS.items():
        raw = environment.get(key.variable)
        if not raw:
            continue
        try:
            settings[name] = _setting(name, raw, f"{_ENVIRONMENT}{key.variable}")
        except ConfigError as error:
            problems.append(error)
    return Layer("environment", settings, problems)


def _defaults() -> dict[str, Setting]:
    return {name: Setting(key.default, DEFAULT) for name, key in KEYS.items()}


def _setting(name: str, raw: object, origin: str) -> Setting:
    try:
        return Setting(KEYS[name].kind.read(raw), origin)
    except WrongValue as error:
        raise ConfigError(origin, f"{name} = {shortened(raw)}: {error}", key=name) from error


def run_limits(settings: Settings) -> RunLimits:
    """Returns the limits for a run that is queued now."""
    memory = settings.optional_text("gpu_memory_limit")
    # In the user's file, max_parallel is the machine's limit, which the supervisor reads; elsewhere it is the run's.
    is_run_limit = not _is_from_user_file(settings, "max_parallel")
    return RunLimits(
        min_free_ram_bytes=int(settings.number("min_free_ram_gb") * GIGABYTE),
        max_load_per_core=settings.number("governor.max_load_per_core"),
        min_free_disk_bytes=int(settings.number("governor.min_free_disk_gb") * DISK_GIGABYTE),
        max_parallel=_max_parallel(settings) if is_run_limit else None,
        gpu_min_free_vram_bytes=int(settings.number("gpu.min_free_vram_mb") * MEGABYTE),
        gpu_max_temp_celsius=settings.number("gpu.max_temp_c"),
        gpu_resume_margin_celsius=settings.number("gpu.resume_margin_c"),
        gpu_memory_limit=None if memory is None else parse_memory_limit(memory),
        on_overheat=settings.text("governor.on_overheat"),
        on_nan=settings.text("governor.on_nan"),
        max_pause_seconds=settings.number("governor.max_pause_minutes") * 60,
    )


def _max_parallel(settings: Settings) -> int | None:
    """None for "auto": the machine's limit for a run, and for the machine a number that depends on it."""
    value = settings["max_parallel"]
    return value if isinstance(value, int) else None


def _is_from_user_file(settings: Settings, name: str) -> bool:
    """Whether a value comes from the user's file or is a default."""
    origin = settings.origin(name)
    return origin == DEFAULT or (not origin.startswith(_ENVIRONMENT) and not _is_project(origin))


def _is_project(origin: str) -> bool:
    path = origin.rpartition(":")[0] or origin
    return os.path.basename(path) in PROJECT_FILES or os.path.basename(origin) in PROJECT_FILES


def _user_settings(path: str) -> Settings:
    """The settings of the user's file alone, which apply to the whole machine; the defaults if it is missing."""
    problem = untrusted(path, root_looks=True)
    if problem is not None:
        raise problem
    return Settings(_defaults() | read_file(path))


def machine_probe(path: str) -> str:
    """Returns the GPU probe of the user's file; raises ConfigError if the file has an error."""
    return _user_settings(path).text("gpu.probe")


def machine_limits(path: str) -> MachineLimits:
    """Returns the user's limits for all runs of this machine together; raises ConfigError if the file has an error."""
    settings = _user_settings(path)
    return MachineLimits(
        max_parallel=_max_parallel(settings),
        start_burst=int(settings.number("governor.start_burst")),
        starts_per_minute=settings.number("governor.starts_per_minute"),
        sample_seconds=settings.number("governor.sample_seconds"),
    )
