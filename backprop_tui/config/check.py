"""Checks every place that settings may come from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from backprop_tui.config.errors import ConfigError
from backprop_tui.config.files import find_problems, original_arguments_in, read_file
from backprop_tui.config.load import invalid_variables, project_file, user_only_errors
from backprop_tui.domain.lazy_dataclass import lazy_dataclass


@lazy_dataclass(frozen=True, slots=True)
class CheckedLayer:
    """One place, its errors, and remarks about it."""

    name: str
    problems: Sequence[ConfigError]
    remarks: Sequence[str] = ()


def checked_layers(
    user_file: str, directory: str, environment: Mapping[str, str], *, named: bool
) -> list[CheckedLayer]:
    """The user's file, the project's file if there is one, and the variables; `named`: by --config."""
    layers = [_user_layer(user_file, named=named)]
    project = project_file(directory)
    if project is not None and project != os.path.abspath(user_file):
        layers.append(_project_layer(project))
    layers.append(CheckedLayer("environment", invalid_variables(environment)))
    return layers


def _user_layer(path: str, *, named: bool) -> CheckedLayer:
    if os.path.exists(path):
        return _file_layer(path)
    if named:
        return CheckedLayer(path, [ConfigError(f"--config {path}", "there is no such file")])
    return CheckedLayer(f"{path} (there is none, so the defaults apply)", ())


def _project_layer(path: str) -> CheckedLayer:
    layer = _file_layer(path)
    return layer if layer.problems else CheckedLayer(path, user_only_errors(read_file(path)), layer.remarks)


def _file_layer(path: str) -> CheckedLayer:
    problems = find_problems(path)
    ignored = [] if problems else original_arguments_in(path)
    remarks = [f"{', '.join(ignored)}: not a setting; give it to `run`"] if ignored else []
    return CheckedLayer(path, problems, remarks)
