"""The variables that give a script its GPUs."""

from __future__ import annotations

from backprop_tui.domain.governor.snapshot import Placement
from backprop_tui.domain.limits import GIGABYTE, MemoryLimit, RunLimits
from backprop_tui.domain.run import Gpu, Spec
from backprop_tui.domain.telemetry import Readings
from backprop_tui.engine.gpu_environment import gpu_environment
from tests.engine.machines import CALM, gpu

BOTH = Placement(gpus=(Gpu(index=0, uuid="GPU-0"), Gpu(index=1, uuid="GPU-1")))


def spec(*ids: str, limit: MemoryLimit | None = None) -> Spec:
    return Spec(command=("true",), script=None, cwd="/", gpu_ids=ids, limits=RunLimits(gpu_memory_limit=limit))


def readings(probe: str = "nvml") -> Readings:
    return Readings(time=0.0, host=CALM, gpus=(gpu(0), gpu(1, memory_total_bytes=40 * GIGABYTE)), probe=probe)


def test_cuda_gets_uuids() -> None:
    assert gpu_environment(spec(), BOTH, readings()) == {"CUDA_VISIBLE_DEVICES": "GPU-0,GPU-1"}


def test_rocm_gets_uuids_and_hip_does_not_choose_among_them_again() -> None:
    assert gpu_environment(spec(), BOTH, readings("amd")) == {
        "ROCR_VISIBLE_DEVICES": "GPU-0,GPU-1",
        "HIP_VISIBLE_DEVICES": "0,1",
        "CUDA_VISIBLE_DEVICES": "0,1",
    }


def test_an_amd_card_without_a_serial_number_goes_by_its_index() -> None:
    placement = Placement(gpus=(Gpu(index=1, uuid="0000:03:00.0"),))
    assert gpu_environment(spec(), placement, readings("amd"))["ROCR_VISIBLE_DEVICES"] == "1"


def test_a_run_without_a_gpu_sees_none_of_any_vendor() -> None:
    hidden = gpu_environment(spec(), Placement(gpus=()), readings())
    assert hidden == {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "", "ROCR_VISIBLE_DEVICES": ""}


def test_without_known_gpus_inherited_variables_stay() -> None:
    assert gpu_environment(spec(), Placement(gpus=None), readings()) == {}


def test_without_known_gpus_chosen_ids_are_passed_on_as_they_are() -> None:
    variables = gpu_environment(spec("1", "0"), Placement(gpus=None), readings())
    assert variables == {"CUDA_VISIBLE_DEVICES": "1,0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def test_a_limit_in_bytes_is_a_share_of_the_smallest_gpu() -> None:
    variables = gpu_environment(spec(limit=MemoryLimit(bytes=10 * GIGABYTE)), BOTH, readings())
    assert variables["XLA_CLIENT_MEM_FRACTION"] == "0.2500"
    above_total = gpu_environment(spec(limit=MemoryLimit(bytes=90 * GIGABYTE)), BOTH, readings())
    assert above_total["XLA_CLIENT_MEM_FRACTION"] == "1.0000"


def test_a_run_without_a_limit_gets_no_memory_variables() -> None:
    assert "BACKPROP_GPU_MEMORY_FRACTION" not in gpu_environment(spec(), BOTH, readings())
    assert "BACKPROP_GPU_MEMORY_FRACTION" not in gpu_environment(
        spec(limit=MemoryLimit(fraction=0.5)), Placement(gpus=()), readings()
    )
