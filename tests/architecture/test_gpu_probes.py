"""Only the sampler's process queries GPUs: a driver that hangs can hang no other process."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import backprop_tui

PACKAGE = Path(backprop_tui.__file__).parent
SAMPLER = "backprop_tui.sample"
PROBES = "backprop_tui.probes."
# Modules that query GPUs, or load a module that does.
QUERYING = {f"{PROBES}{name}" for name in ("nvml", "nvidia_smi", "amd", "gpu_monitor")}
CALLBACKS = "backprop_tui.callbacks."  # of the user's training, in whose process the framework is anyway
COMMANDS = ("nvidia-smi", "rocm-smi", "amd-smi", "gpustat", "nvitop")
STARTERS = {"run", "Popen", "call", "check_call", "check_output", "system", "popen"}


def _modules() -> dict[str, ast.Module]:
    modules = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_text())
    return modules


MODULES = _modules()


def _imported_by(tree: ast.Module) -> set[str]:
    """Names of all modules that are imported anywhere in it, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


IMPORTS = {name: _imported_by(tree) for name, tree in MODULES.items()}


def _reached_from(name: str) -> set[str]:
    reached: set[str] = set()
    ahead = {name}
    while ahead:
        module = ahead.pop()
        reached.add(module)
        ahead |= (IMPORTS[module] & MODULES.keys()) - reached
    return reached


def _starts(tree: ast.Module) -> set[str]:
    """The first word of each command that the module starts."""
    commands: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in STARTERS:
            constants = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant)]
            commands |= {text.split()[0] for text in constants if isinstance(text, str) and text.split()}
    return commands


def test_the_modules_that_query_gpus_exist() -> None:
    assert set(MODULES) >= QUERYING


def test_the_sampler_reaches_every_module_that_queries_a_gpu() -> None:
    assert _reached_from(SAMPLER) >= QUERYING


@pytest.mark.parametrize("name", [name for name in MODULES if name != SAMPLER and not name.startswith(PROBES)])
def test_no_other_process_reaches_a_module_that_queries_gpus(name: str) -> None:
    assert not _reached_from(name) & QUERYING


def test_pynvml_is_imported_by_its_probe_alone() -> None:
    assert {name for name, imported in IMPORTS.items() if "pynvml" in imported} == {f"{PROBES}nvml"}


def test_commands_that_query_gpus_are_started_by_one_module_alone() -> None:
    starting = {name for name, tree in MODULES.items() if _starts(tree) & set(COMMANDS)}
    assert starting == {f"{PROBES}nvidia_smi"}


@pytest.mark.parametrize("third_party", ["py3nvml", "nvitop", "gpustat", "GPUtil", "amdsmi", "torch"])
def test_no_other_way_to_query_gpus_is_used(third_party: str) -> None:
    packages = {name: {module.split(".")[0] for module in imported} for name, imported in IMPORTS.items()}
    importing = {name for name, imported in packages.items() if third_party in imported}
    assert not {name for name in importing if not name.startswith(CALLBACKS)}
