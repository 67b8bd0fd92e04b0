"""Which modules are loaded when, measured in fresh interpreters: import contracts see neither cost nor lazy imports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import backprop_tui
from backprop_tui.store import index
from backprop_tui.store.creation import remove_marker
from backprop_tui.store.home import Home
from tests.support.runs import Runs

PACKAGE = Path(backprop_tui.__file__).parent

NOT_FOR_A_QUICK_COMMAND = {"textual", "rich", "psutil", "pynvml", "asyncio", "inspect", "gettext"}
NOT_FOR_A_RUNNER = {"asyncio", "subprocess", "tempfile", "logging", "tomllib", "multiprocessing"}

# Packages used in processes started by `python -I -S`, where no site-packages exist.
RUNNER_PACKAGES = ("domain", "processes", "store", "checkpoints", "readers", "launchers", "runner")
STANDARD_LIBRARY_PACKAGES = (*RUNNER_PACKAGES, "engine")

FIRST = "backprop_tui.domain.lazy_dataclass"  # which programs import first

PRINT_LOADED = "import json, sys; print(); print(json.dumps(sorted(sys.modules)))"


def _modules_of(package: str) -> list[str]:
    """The dotted names of all modules of a package."""
    names = []
    for path in sorted((PACKAGE / package).rglob("*.py")):
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


def test_the_measurement_sees_what_a_statement_loads() -> None:
    assert "asyncio" in _loaded_by("import asyncio")


@pytest.mark.parametrize("module", ["backprop_tui.cli", "backprop_tui.main"])
def test_importing_the_commands_loads_nothing_heavy(module: str) -> None:
    assert not _loaded_by(f"import {module}") & NOT_FOR_A_QUICK_COMMAND


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["status"], ["status", "--json"]], ids=" ".join)
def test_list_and_status_run_without_anything_heavy(arguments: list[str]) -> None:
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


def test_a_list_in_the_usual_order_loads_no_fields_to_sort_by(tmp_path: Path) -> None:
    home = Home(str(tmp_path), "here")
    home.prepare()
    index.update(home, {"a": Runs(home).ended("a").shown()})
    remove_marker(home, "a")
    statements = f"""
import os
os.environ["BACKPROP_HOME"] = {str(tmp_path)!r}
sys.argv = ["backprop-tui", "list"]
from backprop_tui.main import main
assert main() == 0
"""
    unneeded = {"presentation.run_fields", "config.load", "domain.metric_series"}
    assert not _loaded_by(statements) & {f"backprop_tui.{name}" for name in unneeded}


def test_the_parser_loads_no_compression_modules() -> None:
    statements = "from backprop_tui.cli.parser import parse\nparse(['list', '--limit', '3'])"
    assert not _loaded_by(statements) & {"shutil", "zlib", "bz2", "lzma"}


def test_a_submission_loads_nothing_to_explain_failures() -> None:
    assert not _loaded_by("import backprop_tui.client.submit") & {"backprop_tui.domain.causes", "unicodedata"}


@pytest.mark.parametrize("package", STANDARD_LIBRARY_PACKAGES)
def test_the_package_imports_without_site_packages(package: str) -> None:
    statements = "".join(f"import {name}\n" for name in _modules_of(package))
    loaded = _loaded_by(statements, "-I", "-S")
    assert not any("site-packages" in str(name) for name in loaded)
    assert set(_modules_of(package)) <= loaded


@pytest.mark.parametrize("package", RUNNER_PACKAGES)
def test_a_guardian_loads_the_package_without_anything_heavy(package: str) -> None:
    statements = "".join(f"import {name}\n" for name in _modules_of(package))
    assert not _loaded_by(statements, "-I", "-S") & NOT_FOR_A_RUNNER


NOT_BEFORE_A_SCRIPT = {"inspect", "copy", "subprocess", "shutil", "asyncio", "tempfile", "threading", "glob", "socket"}
NOT_BEFORE_A_SCRIPT |= {f"backprop_tui.runner.{name}" for name in ("guarding", "guardian", "finalize", "outputs")}
NOT_BEFORE_A_SCRIPT |= {
    f"backprop_tui.engine.{name}" for name in ("scheduler", "slurm_queue", "guard", "unfinished_runs")
}
NOT_BEFORE_A_SCRIPT |= {
    "tomllib",
    "backprop_tui.config",
    "backprop_tui.node.watch",
    "backprop_tui.domain.governor.admission",
}
NOT_BEFORE_A_SCRIPT |= {
    f"backprop_tui.{name}" for name in ("domain.resume_check", "domain.metric_series", "launchers.launcher")
}
NOT_BEFORE_A_SCRIPT |= {"backprop_tui.readers", "backprop_tui.checkpoints", "backprop_tui.domain.checkpoint_names"}


def test_the_script_of_a_slurm_job_waits_for_little() -> None:
    statements = f"import {FIRST}, backprop_tui.node.job, backprop_tui.runner.main"
    assert all(find_spec(name) for name in NOT_BEFORE_A_SCRIPT), "a module was renamed"
    assert not _loaded_by(statements, "-I", "-S") & NOT_BEFORE_A_SCRIPT


def test_becoming_a_subreaper_loads_no_ctypes() -> None:
    statements = "from backprop_tui.processes.linux import become_subreaper; become_subreaper()"
    assert "ctypes" not in _loaded_by(statements, "-I", "-S")


def test_a_command_of_slurm_is_started_without_subprocess() -> None:
    statements = f"""
import {FIRST}
from backprop_tui.launchers.slurm import Slurm
from backprop_tui.domain.errors import BackpropError
try:
    Slurm(environment={{"PATH": "/nowhere"}}).release("1")
except BackpropError as error:
    assert "not installed" in str(error)
"""
    assert not _loaded_by(statements, "-I", "-S") & {"subprocess", "threading", "selectors"}


def test_a_first_run_does_not_wait_for_what_its_guardian_needs_after_the_start() -> None:
    statements = f"""
import {FIRST}, select, socket
from backprop_tui.runner.fork_server import _ForkServer
asked, asking = socket.socketpair()
announced, announcing = socket.socketpair()
poll = select.poll()
poll.register(asked, select.POLLIN)
server = _ForkServer(asked, announcing, None)
{{request}}
server._load_until_asked(poll)
"""
    needed = {"backprop_tui.runner.guarding", "backprop_tui.domain.causes.registry"}
    assert not _loaded_by(statements.format(request="asking.send(b'a request')"), "-I", "-S") & needed
    assert _loaded_by(statements.format(request=""), "-I", "-S") >= needed


def test_a_fork_server_that_is_ready_has_loaded_what_its_guardians_need() -> None:
    statements = f"""
import {FIRST}
from backprop_tui.runner.main import load_guardian
parts = sum(1 for _ in load_guardian())
assert parts > 3, parts  # between them a request is served
"""
    loaded = _loaded_by(statements, "-I", "-S")
    assert loaded >= {"backprop_tui.runner.guarding", "backprop_tui.runner.guardian", "backprop_tui.readers.registry"}
    assert "ctypes" in loaded  # each guardian watches the directory of its run


def test_a_supervisor_does_not_wait_for_what_its_fork_server_loads() -> None:
    statements = f"import {FIRST}, backprop_tui.runner.fork_server, backprop_tui.engine.main"
    late = {f"backprop_tui.{name}" for name in ("runner.guarding", "readers", "checkpoints", "domain.checkpoint_names")}
    assert not _loaded_by(statements, "-I", "-S") & {"inspect", "threading", *late}


def test_a_class_without_a_docstring_gets_one_from_the_real_inspect() -> None:
    statements = f"""
import {FIRST}, dataclasses
assert "inspect" not in sys.modules
Point = dataclasses.make_dataclass("Point", ["x"])
assert Point.__doc__.startswith("Point(x"), Point.__doc__
"""
    assert "inspect" in _loaded_by(statements, "-I", "-S")


def test_copies_of_values_are_made_by_the_real_copy() -> None:
    statements = f"""
import {FIRST}, dataclasses
assert "copy" not in sys.modules
Point = dataclasses.make_dataclass("Point", ["x"], namespace={{"__doc__": "A point."}})
assert dataclasses.asdict(Point([1])) == {{"x": [1]}}
"""
    assert "copy" in _loaded_by(statements, "-I", "-S")


def test_value_classes_use_the_lazy_decorator() -> None:
    """The standard library's decorator compiles six methods for each class while its module loads."""
    standard = re.compile(r"^from dataclasses import .*\bdataclass\b", re.MULTILINE)
    users = [str(path) for path in PACKAGE.rglob("*.py") if standard.search(path.read_text())]
    assert not users, "use backprop_tui.domain.lazy_dataclass"


NOT_VISIBLE_AT_FIRST = {f"screens.{name}" for name in ("new_run", "edit_run", "settings", "help", "compare")}
NOT_VISIBLE_AT_FIRST |= {"screens.palette", "screens.completion", "screens.draft", "screens.questions"}
NOT_VISIBLE_AT_FIRST |= {"widgets.charts", "widgets.run_charts", "panes.details", "textual_patches.line_input"}
NOT_VISIBLE_AT_FIRST |= {"charts.metrics_tab", "charts.resources_tab", "panes.digest"}
NOT_FOR_A_FIRST_PAINT = {"textual.command", "textual.markup", "textual.widgets._input", "textual.widgets._option_list"}
NOT_FOR_A_FIRST_PAINT |= {
    "platformdirs",
    "tempfile",
    "rich.table",
    "typing_extensions",
    "pickle",
    "uuid",
    "urllib.parse",
}
NOT_FOR_A_DASHBOARD = {"psutil", "pynvml", "numpy", "tomli_w", "unittest", "urllib.request", "http.client", "email"}


def test_the_dashboard_starts_without_what_is_not_visible_at_first(tmp_path: Path) -> None:
    statements = f"""
from backprop_tui.store.home import Home
from backprop_tui.tui import dashboard
dashboard(Home({str(tmp_path)!r}, "here"), {str(tmp_path / "config.toml")!r})
"""
    loaded = _loaded_by(statements)
    later = {f"backprop_tui.tui.{name}" for name in NOT_VISIBLE_AT_FIRST}
    assert all(find_spec(name) for name in later), "a module was renamed"
    assert not loaded & (later | NOT_FOR_A_DASHBOARD | NOT_FOR_A_FIRST_PAINT)


def test_asyncio_is_loaded_without_openssl_which_others_may_still_load() -> None:
    loaded = _loaded_by("from backprop_tui.tui import load_asyncio; load_asyncio()")
    assert "asyncio" in loaded
    assert "_ssl" not in loaded
    assert "_ssl" in _loaded_by("from backprop_tui.tui import load_asyncio; load_asyncio(); import ssl")
