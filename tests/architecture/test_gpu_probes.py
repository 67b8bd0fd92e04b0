"""Only the sampler's process queries GPUs: a driver that hangs can hang no other process."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.sources import FILES, imports, module_of, tree_of

SAMPLER = "backprop_tui.sample"
PROBES = "backprop_tui.probes."
# Modules that query GPUs, or load a module that does.
QUERYING = {f"{PROBES}{name}" for name in ("nvml", "nvidia_smi", "amd", "gpu_monitor")}
CALLBACKS = "backprop_tui.callbacks."  # of the user's training, in whose process the framework is anyway
COMMANDS = ("nvidia-smi", "rocm-smi", "amd-smi", "gpustat", "nvitop")
STARTERS = {"run", "Popen", "call", "check_call", "check_output", "system", "popen"}


def _reached_from(name: str) -> set[str]:
    reached: set[str] = set()
    ahead = {name}
    while ahead:
        module = ahead.pop()
        reached.add(module)
        ahead |= (imports()[module] & imports().keys()) - reached
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
    assert set(imports()) >= QUERYING


def test_the_sampler_reaches_every_module_that_queries_a_gpu() -> None:
    assert _reached_from(SAMPLER) >= QUERYING


def test_no_other_process_reaches_a_module_that_queries_gpus() -> None:
    others = [name for name in imports() if name != SAMPLER and not name.startswith(PROBES)]
    assert [name for name in others if _reached_from(name) & QUERYING] == []


def test_pynvml_is_imported_by_its_probe_alone() -> None:
    assert {name for name, imported in imports().items() if "pynvml" in imported} == {f"{PROBES}nvml"}


def test_commands_that_query_gpus_are_started_by_one_module_alone() -> None:
    starting = {module_of(path) for path in FILES if _starts(tree_of(path)) & set(COMMANDS)}
    assert starting == {f"{PROBES}nvidia_smi"}


@pytest.mark.parametrize("third_party", ["py3nvml", "nvitop", "gpustat", "GPUtil", "amdsmi", "torch"])
def test_no_other_way_to_query_gpus_is_used(third_party: str) -> None:
    packages = {name: {module.split(".")[0] for module in imported} for name, imported in imports().items()}
    importing = {name for name, imported in packages.items() if third_party in imported}
    assert not {name for name in importing if not name.startswith(CALLBACKS)}
