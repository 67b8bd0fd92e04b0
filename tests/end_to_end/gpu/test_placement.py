"""Where runs are placed, and the variables by which they get their GPUs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from backprop_tui.domain.status import Status
from tests.end_to_end.gpu.gpu_runs import (
    ENDLESS,
    GPU_VARIABLES,
    ended,
    gigabytes,
    held_by,
    indices,
    limits,
    variables_of,
)
from tests.support.gpus import ABSENT, MISMATCH, Gpus
from tests.support.sandbox import Sandbox, python


def test_a_run_gets_the_gpu_with_most_free_vram_by_its_uuid(sandbox: Sandbox, gpus: Gpus) -> None:
    gpus.set(0, used=gigabytes(10))
    run = sandbox.submit(*python(GPU_VARIABLES), limits=limits())
    assert variables_of(run)["CUDA_VISIBLE_DEVICES"] == gpus.uuid(1)
    assert indices(run) == (1,)


def test_a_run_that_asks_for_two_gets_both(sandbox: Sandbox, gpus: Gpus) -> None:
    run = sandbox.submit(*python(GPU_VARIABLES), limits=limits(), gpus=2)
    assert variables_of(run)["CUDA_VISIBLE_DEVICES"] == f"{gpus.uuid(0)},{gpus.uuid(1)}"


def test_a_run_that_asks_for_three_of_two_waits_and_says_so(sandbox: Sandbox, gpus: Gpus) -> None:
    run = sandbox.submit(*python(GPU_VARIABLES), limits=limits(), gpus=3)
    assert held_by(sandbox, run, "gpu_count")["message"] == "can never start: needs 3 GPUs, machine has 2 (--gpus 3)"


@pytest.mark.parametrize("by", ["index", "uuid"])
def test_a_run_gets_the_gpu_that_was_chosen(sandbox: Sandbox, gpus: Gpus, by: str) -> None:
    gpus.set(1, used=gigabytes(10))
    run = sandbox.submit(
        *python(GPU_VARIABLES), limits=limits(), gpu_ids=("1" if by == "index" else gpus.uuid(1)[:12],)
    )
    assert variables_of(run)["CUDA_VISIBLE_DEVICES"] == gpus.uuid(1)


def test_an_inherited_choice_restricts_and_is_replaced_by_uuids(sandbox: Sandbox, gpus: Gpus) -> None:
    gpus.set(1, used=gigabytes(10))
    run = sandbox.submit(
        *python(GPU_VARIABLES), limits=limits(), visible_gpus=("1",), environment={"CUDA_VISIBLE_DEVICES": "1"}
    )
    assert variables_of(run)["CUDA_VISIBLE_DEVICES"] == gpus.uuid(1)
    both = sandbox.submit(*python(GPU_VARIABLES), limits=limits(), visible_gpus=("1",), gpus=2)
    assert (
        held_by(sandbox, both, "gpu_count")["message"]
        == "can never start: needs 2 GPUs, CUDA_VISIBLE_DEVICES shows 1 (--gpus 2)"
    )


def test_a_run_without_a_gpu_never_waits_for_one_and_sees_none(sandbox: Sandbox, gpus: Gpus) -> None:
    gpus.hang_everything()
    run = sandbox.submit(*python(GPU_VARIABLES), limits=limits(), gpus=0)
    assert variables_of(run)["CUDA_VISIBLE_DEVICES"] == ""
    assert run.run().attempt.gpus == ()


def test_a_foreign_process_holds_a_run_and_is_named(sandbox: Sandbox, gpus: Gpus) -> None:
    import getpass

    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as foreign:
        gpus.hold(0, foreign.pid, gigabytes(79))
        run = sandbox.submit(*python(GPU_VARIABLES), limits=limits(), gpu_ids=("0",))
        message = str(held_by(sandbox, run, "gpu_memory")["message"])
        assert message.startswith("GPU 0: ")
        assert message.endswith(f"pid {foreign.pid} ({getpass.getuser()}) holds 79 (gpu.min_free_vram_mb 2500)")
        free = sandbox.submit(*python(GPU_VARIABLES), limits=limits())
        assert variables_of(free)["CUDA_VISIBLE_DEVICES"] == gpus.uuid(1)
        foreign.communicate(b"\n")
    assert variables_of(run)["CUDA_VISIBLE_DEVICES"] == gpus.uuid(0)


def test_nothing_starts_on_a_gpu_in_the_warning_band(sandbox: Sandbox, gpus: Gpus) -> None:
    gpus.set(0, celsius=82)
    gpus.set(1, celsius=90)
    run = sandbox.submit(*python(GPU_VARIABLES), limits=limits())
    assert (
        held_by(sandbox, run, "gpu_temperature")["message"]
        == "GPU 0 too hot, 82 °C, starts below 82 (gpu.max_temp_c 85)"
    )
    gpus.set(0, celsius=81)
    assert variables_of(run)["CUDA_VISIBLE_DEVICES"] == gpus.uuid(0)


def test_a_memory_limit_is_passed_in_the_variables_of_the_frameworks(sandbox: Sandbox, gpus: Gpus) -> None:
    from backprop_tui.domain.limits import MemoryLimit

    share = limits(gpu_memory_limit=MemoryLimit(fraction=0.5))
    variables = variables_of(sandbox.submit(*python(GPU_VARIABLES), limits=share))
    assert variables["XLA_CLIENT_MEM_FRACTION"] == variables["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.5000"
    assert variables["BACKPROP_GPU_MEMORY_FRACTION"] == "0.5000"
    assert variables["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    bytes_ = limits(gpu_memory_limit=MemoryLimit(bytes=gigabytes(8)))
    assert variables_of(sandbox.submit(*python(GPU_VARIABLES), limits=bytes_))["XLA_CLIENT_MEM_FRACTION"] == "0.1000"


def test_without_the_library_nvidia_smi_is_used(sandbox: Sandbox, gpus: Gpus, configure: Callable[..., None]) -> None:
    configure("auto")
    gpus.break_nvml(ABSENT)
    gpus.set(0, used=gigabytes(10))
    run = sandbox.submit(*python(GPU_VARIABLES), limits=limits())
    assert variables_of(run)["CUDA_VISIBLE_DEVICES"] == gpus.uuid(1)


def test_with_a_broken_driver_one_run_starts_at_a_time_and_says_why(sandbox: Sandbox, gpus: Gpus) -> None:
    gpus.break_nvml(MISMATCH)
    first = sandbox.submit(*python(ENDLESS), limits=limits())
    first.wait_for(Status.RUNNING)
    second = sandbox.submit(*python(GPU_VARIABLES), limits=limits())
    message = str(held_by(sandbox, second, "probe")["message"])
    assert "differ in version" in message
    assert "one run at a time" in message


def test_the_probe_that_a_run_asks_for_is_used_for_it(
    sandbox: Sandbox, gpus: Gpus, configure: Callable[..., None]
) -> None:
    run = sandbox.submit(*python(GPU_VARIABLES), limits=limits(), gpu_probe="simulated")
    assert variables_of(run)["CUDA_VISIBLE_DEVICES"].startswith("SIM-")
    nothing = sandbox.submit(*python(GPU_VARIABLES), limits=limits(), gpu_probe="none", environment={})
    assert variables_of(nothing)["CUDA_VISIBLE_DEVICES"] == "unset"
    real = sandbox.submit(*python(GPU_VARIABLES), limits=limits(), gpu_probe="nvml")
    assert variables_of(real)["CUDA_VISIBLE_DEVICES"] in (gpus.uuid(0), gpus.uuid(1))


@pytest.mark.parametrize("machine", ["none", "auto", "nvml"])
def test_a_run_sees_only_the_gpus_of_its_own_probe(
    sandbox: Sandbox, gpus: Gpus, configure: Callable[..., None], machine: str
) -> None:
    configure(machine)
    run = sandbox.submit(*python(GPU_VARIABLES), limits=limits(), gpu_probe="simulated")
    assert variables_of(run)["CUDA_VISIBLE_DEVICES"].startswith("SIM-")


def test_no_other_run_is_placed_on_simulated_gpus(sandbox: Sandbox, gpus: Gpus) -> None:
    simulated = sandbox.submit(*python(ENDLESS), limits=limits(), gpu_probe="simulated")
    simulated.wait_for(Status.RUNNING)
    real = sandbox.submit(*python(GPU_VARIABLES), limits=limits())
    held_by(sandbox, real, "probe")
    script = simulated.script()
    assert script is not None
    from tests.support import processes

    processes.kill(script)
    assert variables_of(real)["CUDA_VISIBLE_DEVICES"] in (gpus.uuid(0), gpus.uuid(1))
    assert ended(simulated).status is Status.FAILED
