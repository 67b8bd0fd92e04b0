"""Only the sampler's process asks GPUs: a driver that hangs can hang nobody else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import backprop_tui

PACKAGE = Path(backprop_tui.__file__).parent
SAMPLER = "backprop_tui.sample"
PROBES = "backprop_tui.probes."
# What these import may ask a GPU, or start something that does.
ASKING = {
    f"{PROBES}{name}" for name in ("nvml", "nvml_device", "nvidia_smi", "smi_command", "amd", "amd_card", "gpu_keeper")
}
CALLBACKS = "backprop_tui.callbacks."  # of the user's training, in whose process the framework is anyway
COMMANDS = ("nvidia-smi", "rocm-smi", "amd-smi", "gpustat", "nvitop")
STARTERS = {"run", "Popen", "call", "check_call", "check_output", "system", "popen"}


def _modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_text())
    return found


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
        one = ahead.pop()
        reached.add(one)
        ahead |= (IMPORTS[one] & MODULES.keys()) - reached
    return reached


def _starts(tree: ast.Module) -> set[str]:
    """The first words of commands that are written out where something is started."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in STARTERS:
            words = [
                one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
            found |= {word.split()[0] for word in words if word.split()}
    return found


def test_the_sampler_reaches_every_module_that_asks_a_gpu() -> None:
    assert _reached_from(SAMPLER) >= ASKING


@pytest.mark.parametrize("name", [name for name in MODULES if name != SAMPLER and not name.startswith(PROBES)])
def test_no_other_process_reaches_one(name: str) -> None:
    assert not _reached_from(name) & ASKING


def test_pynvml_is_imported_by_its_probe_alone() -> None:
    assert {name for name, imported in IMPORTS.items() if "pynvml" in imported} == {f"{PROBES}nvml"}


def test_commands_that_ask_gpus_are_started_by_one_module_alone() -> None:
    starting = {name for name, tree in MODULES.items() if _starts(tree) & set(COMMANDS)}
    assert starting == {f"{PROBES}smi_command"}


@pytest.mark.parametrize("third_party", ["py3nvml", "nvitop", "gpustat", "GPUtil", "amdsmi", "torch"])
def test_no_other_way_to_ask_gpus_is_used(third_party: str) -> None:
    importing = {name for name, imported in IMPORTS.items() if third_party in {one.split(".")[0] for one in imported}}
    assert not {name for name in importing if not name.startswith(CALLBACKS)}
