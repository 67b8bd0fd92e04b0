"""What is loaded when: measured in fresh interpreters, since import contracts see neither cost nor laziness."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import backprop_tui

PACKAGE = Path(backprop_tui.__file__).parent

NOT_FOR_A_QUICK_COMMAND = {"textual", "rich", "psutil", "pynvml", "asyncio"}
NOT_FOR_A_RUNNER = {"asyncio", "subprocess", "tempfile", "logging", "tomllib", "multiprocessing"}

# The rooms that live in processes started by `python -I -S`, where no site-packages exist.
RUNNER_ROOMS = ("domain", "processes", "store", "checkpoints", "readers", "launchers", "runner")
STANDARD_LIBRARY_ROOMS = (*RUNNER_ROOMS, "engine")

PRINT_LOADED = "import json, sys; print(); print(json.dumps(sorted(sys.modules)))"


def _modules_of(room: str) -> list[str]:
    """The dotted names of every module of a room; a file that is itself a program is named like any other."""
    names = []
    for path in sorted((PACKAGE / room).rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def _loaded_by(statements: str, *options: str) -> set[str]:
    """The modules loaded in a fresh interpreter once the statements ran."""
    script = f"import sys\nsys.path.insert(0, {str(PACKAGE.parent)!r})\n{statements}\n{PRINT_LOADED}"
    command = [sys.executable, *options, "-c", script]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert finished.returncode == 0, finished.stderr
    return set(json.loads(finished.stdout.splitlines()[-1]))


def _needs(module: str) -> None:
    if find_spec(module) is None:
        pytest.skip(f"{module} is not there yet")


def test_the_measurement_sees_what_a_statement_loads() -> None:
    assert "asyncio" in _loaded_by("import asyncio")


@pytest.mark.parametrize("module", ["backprop_tui.cli", "backprop_tui.main"])
def test_importing_the_commands_loads_nothing_heavy(module: str) -> None:
    _needs(module)
    assert not _loaded_by(f"import {module}") & NOT_FOR_A_QUICK_COMMAND


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["status"], ["status", "--json"]], ids=" ".join)
def test_list_and_status_run_without_anything_heavy(arguments: list[str]) -> None:
    _needs(f"backprop_tui.cli.commands.{arguments[0]}")
    statements = f"""
sys.argv = ["backprop-tui", *{arguments!r}]
from backprop_tui.main import main
try:
    code = main()
except SystemExit as exit:
    code = exit.code
assert code in (0, None), code
"""
    assert not _loaded_by(statements) & NOT_FOR_A_QUICK_COMMAND


def test_a_parser_is_made_without_what_measures_the_terminal_for_its_help() -> None:
    statements = "from backprop_tui.cli.parser import parse\nparse(['list', '--limit', '3'])"
    assert not _loaded_by(statements) & {"shutil", "zlib", "bz2", "lzma"}


@pytest.mark.parametrize("room", STANDARD_LIBRARY_ROOMS)
def test_the_room_imports_where_no_package_is_installed(room: str) -> None:
    statements = "".join(f"import {name}\n" for name in _modules_of(room))
    loaded = _loaded_by(statements, "-I", "-S")
    assert not any("site-packages" in str(name) for name in loaded)
    assert set(_modules_of(room)) <= loaded


@pytest.mark.parametrize("room", RUNNER_ROOMS)
def test_a_runner_can_load_the_room_without_anything_heavy(room: str) -> None:
    statements = "".join(f"import {name}\n" for name in _modules_of(room))
    assert not _loaded_by(statements, "-I", "-S") & NOT_FOR_A_RUNNER


def test_values_are_made_the_cheap_way() -> None:
    """The standard library's decorator compiles six methods for each class while its module loads."""
    dear = re.compile(r"^from dataclasses import .*\bdataclass\b", re.MULTILINE)
    found = [str(path) for path in PACKAGE.rglob("*.py") if dear.search(path.read_text()) and path.stem != "values"]
    assert not found, "from backprop_tui.domain.lazy_dataclass import dataclass"


NOT_SEEN_AT_FIRST = {f"screens.{name}" for name in ("new_run", "edit_run", "settings", "help", "compare", "digest")}
NOT_SEEN_AT_FIRST |= {"screens.palette", "screens.text_screen", "textual_patches.command_palette"}
NOT_SEEN_AT_FIRST |= {"charts.metrics_tab", "charts.resources_tab", "panes.digest"}
NOT_FOR_A_DASHBOARD = {"psutil", "pynvml", "numpy", "tomli_w", "unittest", "urllib.request", "http.client", "email"}


def test_the_dashboard_starts_without_what_is_not_seen_at_first(tmp_path: Path) -> None:
    statements = f"""
from backprop_tui.store.home import Home
from backprop_tui.tui import dashboard
dashboard(Home({str(tmp_path)!r}, "here"), {str(tmp_path / "config.toml")!r})
"""
    loaded = _loaded_by(statements)
    later = {f"backprop_tui.tui.{name}" for name in NOT_SEEN_AT_FIRST}
    assert all(find_spec(name) for name in later), "one of them has another name now"
    assert not loaded & (later | NOT_FOR_A_DASHBOARD)
