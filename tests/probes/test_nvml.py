"""NVIDIA GPUs through a fake pynvml module."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading
from backprop_tui.probes.gpu_record import ProbeUnavailable
from backprop_tui.probes.nvml import NvmlProbe
from tests.probes.fake_pynvml import (
    GIB,
    LOST,
    MISMATCH,
    NOT_LOADED,
    NOT_SUPPORTED,
    UNKNOWN,
    FakeDriver,
    FakeGpu,
)

LONG = 2.0


def opened(driver: FakeDriver, sample_seconds: float = 1.0) -> NvmlProbe:
    probe = NvmlProbe(sample_seconds=sample_seconds, load=driver.load)
    probe.open()
    return probe


@pytest.fixture
def gate() -> Iterator[Event]:
    """Calls that hang on it continue when the test ends."""
    event = Event()
    yield event
    event.set()


def test_every_metric_has_the_unit_of_its_name() -> None:
    (gpu,) = opened(FakeDriver(FakeGpu(compute=[(7, GIB)]))).read(LONG)
    assert gpu == GpuReading(
        index=0,
        uuid="GPU-0",
        name="NVIDIA Test",
        temperature_celsius=40.0,
        utilization_percent=10.0,
        memory_total_bytes=80 * GIB,
        memory_used_bytes=2 * GIB,
        power_watts=70.5,
        power_limit_watts=300.0,
        fan_percent=30.0,
        processes=(GpuProcess(pid=7, memory_bytes=GIB),),
    )


def test_a_driver_without_memory_version_2_is_queried_with_version_1() -> None:
    driver = FakeDriver(FakeGpu(errors={"memory_v2": 13}))
    probe = opened(driver)
    assert [probe.read(LONG)[0].memory_used_bytes for _ in range(2)] == [3 * GIB, 3 * GIB]


def test_metrics_that_a_gpu_does_not_have_are_none_without_a_problem() -> None:
    """MIG and unified memory have no memory figure, data center cards no fan."""
    questions = (
        "temperature",
        "utilization",
        "memory",
        "memory_v2",
        "power",
        "power_limit",
        "fan",
        "processes",
        "threshold",
    )
    (gpu,) = opened(FakeDriver(FakeGpu(errors=dict.fromkeys(questions, NOT_SUPPORTED)))).read(LONG)
    assert gpu == GpuReading(index=0, uuid="GPU-0", name="NVIDIA Test")


def test_a_process_in_both_lists_is_listed_once_and_unknown_memory_is_none() -> None:
    (gpu,) = opened(FakeDriver(FakeGpu(compute=[(9, None), (7, 5)], graphics=[(7, 5), (8, None)]))).read(LONG)
    assert gpu.processes == (
        GpuProcess(pid=7, memory_bytes=5),
        GpuProcess(pid=8, memory_bytes=None),
        GpuProcess(pid=9, memory_bytes=None),
    )


@pytest.mark.parametrize(("celsius", "health"), [(84, GpuHealth.OK), (85, GpuHealth.HOT)])
def test_a_gpu_is_hot_at_the_default_limit(celsius: int, health: GpuHealth) -> None:
    assert opened(FakeDriver(FakeGpu(celsius=celsius))).read(LONG)[0].health is health


def test_a_gpu_is_hot_at_the_manufacturers_limit_if_that_is_lower() -> None:
    assert opened(FakeDriver(FakeGpu(celsius=76, slowdown=75))).read(LONG)[0].health is GpuHealth.HOT


def test_a_lost_gpu_keeps_its_name_hides_no_other_and_recovers() -> None:
    driver = FakeDriver(FakeGpu(uuid="GPU-a"), FakeGpu(uuid="GPU-b"))
    probe = opened(driver)
    probe.read(LONG)
    driver.gpus[0].errors["all"] = LOST
    lost, other = probe.read(LONG)
    assert (lost.uuid, lost.health, lost.temperature_celsius) == ("GPU-a", GpuHealth.LOST, None)
    assert "reset" in (lost.problem or "")
    assert other.health is GpuHealth.OK
    driver.gpus[0].errors.clear()
    assert probe.read(LONG)[0].health is GpuHealth.OK


def test_a_gpu_that_is_lost_from_the_start_is_listed() -> None:
    lost, other = opened(FakeDriver(FakeGpu(errors={"handle": LOST}), FakeGpu(uuid="GPU-b"))).read(LONG)
    assert (lost.index, lost.health) == (0, GpuHealth.LOST)
    assert other.uuid == "GPU-b"


def test_a_hung_gpu_is_stale_with_its_last_values_and_does_not_block_others(gate: Event) -> None:
    driver = FakeDriver(FakeGpu(uuid="GPU-a", celsius=61), FakeGpu(uuid="GPU-b"))
    probe = opened(driver, sample_seconds=0.1)
    probe.read(LONG)
    driver.gpus[0].hangs = gate
    deadline = time.monotonic() + 5
    hung, other = probe.read(0.05)
    while hung.problem is None and time.monotonic() < deadline:
        before = time.monotonic()
        hung, other = probe.read(0.05)
        assert time.monotonic() - before < 0.5
    assert (hung.health, hung.temperature_celsius) == (GpuHealth.STALE, 61.0)
    assert hung.age_seconds > 0.3
    assert (other.health, other.age_seconds) == (GpuHealth.OK, 0.0)


def test_a_hung_gpu_recovers_when_the_driver_responds(gate: Event) -> None:
    driver = FakeDriver(FakeGpu())
    probe = opened(driver, sample_seconds=0.01)
    probe.read(LONG)
    driver.gpus[0].hangs = gate
    probe.read(0.05)
    assert probe.read(0.05)[0].health is GpuHealth.STALE
    driver.gpus[0].hangs = None
    gate.set()
    assert probe.read(LONG)[0].health is GpuHealth.OK


def test_a_gpu_that_hangs_from_the_start_is_unknown_or_known_from_an_earlier_process(gate: Event) -> None:
    driver = FakeDriver(FakeGpu(hangs=gate), FakeGpu(hangs=gate))
    earlier = GpuReading(index=1, uuid="GPU-b", name="known", temperature_celsius=50.0)
    probe = NvmlProbe(sample_seconds=1.0, load=driver.load, previous={1: (earlier, time.monotonic() - 60)})
    probe.open()
    never, remembered = probe.read(0.05)
    assert (never.health, never.uuid) == (GpuHealth.UNKNOWN, "unknown-0")
    assert (remembered.health, remembered.uuid, remembered.temperature_celsius) == (GpuHealth.STALE, "GPU-b", 50.0)
    assert remembered.age_seconds >= 60


def test_a_temperature_that_fails_becomes_stale_while_other_metrics_are_fresh() -> None:
    driver = FakeDriver(FakeGpu(celsius=50))
    probe = opened(driver, sample_seconds=0.01)
    probe.read(LONG)
    driver.gpus[0].errors["temperature"] = UNKNOWN
    driver.gpus[0].utilization = 77
    time.sleep(0.05)
    (gpu,) = probe.read(LONG)
    assert (gpu.health, gpu.temperature_celsius, gpu.utilization_percent) == (GpuHealth.STALE, 50.0, 77.0)
    assert "temperature not readable" in (gpu.problem or "")


def test_a_power_reading_that_fails_is_reported_and_the_gpu_stays_usable() -> None:
    (gpu,) = opened(FakeDriver(FakeGpu(errors={"power": UNKNOWN}))).read(LONG)
    assert (gpu.health, gpu.power_watts) == (GpuHealth.OK, None)
    assert "power not readable" in (gpu.problem or "")


def test_an_xid_is_described_and_named_when_the_gpu_falls_off_the_bus() -> None:
    driver = FakeDriver(FakeGpu())
    probe = opened(driver)
    probe.read(LONG)
    driver.gpus[0].xids.append(31)
    assert "Xid 31: memory page fault" in (probe.read(LONG)[0].problem or "")
    driver.gpus[0].xids.append(79)
    driver.gpus[0].errors["temperature"] = LOST
    assert "Xid 79" in (probe.read(LONG)[0].problem or "")


def test_an_exception_of_the_binding_affects_only_its_gpu() -> None:
    driver = FakeDriver(FakeGpu(), FakeGpu(uuid="GPU-b"))
    probe = opened(driver)
    driver.gpus[0].celsius = "hot"  # type: ignore[assignment]
    broken, other = probe.read(LONG)
    assert "ValueError" in (broken.problem or "")
    assert other.health is GpuHealth.OK


def test_a_driver_that_disappears_is_gone_for_all_gpus_and_can_be_reopened() -> None:
    driver = FakeDriver(FakeGpu(uuid="GPU-a"))
    probe = opened(driver)
    probe.read(LONG)
    driver.gpus[0].errors["all"] = MISMATCH
    with pytest.raises(ProbeUnavailable, match="differ in version"):
        probe.read(LONG)
    probe.close()
    driver.gpus[0].errors.clear()
    probe.open()
    assert probe.read(LONG)[0].uuid == "GPU-a"
    assert driver.initialized == 1


def test_nvml_is_not_shut_down_while_a_query_hangs(gate: Event) -> None:
    driver = FakeDriver(FakeGpu(hangs=gate))
    probe = opened(driver)
    probe.read(0.05)
    probe.close()
    assert driver.initialized == 1


def test_an_init_that_hangs_is_a_problem_and_its_late_result_is_used(gate: Event) -> None:
    driver = FakeDriver(FakeGpu())
    driver.init_hangs = gate
    probe = NvmlProbe(sample_seconds=1.0, load=driver.load, open_seconds=0.05)
    with pytest.raises(ProbeUnavailable, match="nvmlInit has not returned") as caught:
        probe.open()
    assert not caught.value.absent
    gate.set()
    deadline = time.monotonic() + 5
    while True:
        try:
            probe.open()
            break
        except ProbeUnavailable:
            assert time.monotonic() < deadline
    assert len(probe.read(LONG)) == 1


@pytest.mark.parametrize(("vendors", "absent"), [(("0x10de",), False), (("0x8086",), True), ((), False)])
def test_a_driver_that_is_not_loaded_is_a_fault_if_there_is_a_card(
    tmp_path: Path, vendors: tuple[str, ...], *, absent: bool
) -> None:
    """Without a PCI bus it cannot be decided, and counts as a fault."""
    for number, vendor in enumerate(vendors):
        device = tmp_path / f"bus/pci/devices/0000:0{number}:00.0"
        device.mkdir(parents=True)
        (device / "vendor").write_text(f"{vendor}\n")
    driver = FakeDriver(FakeGpu())
    driver.init_error = NOT_LOADED
    probe = NvmlProbe(sample_seconds=1.0, load=driver.load, sys_root=str(tmp_path))
    with pytest.raises(ProbeUnavailable) as caught:
        probe.open()
    assert caught.value.absent is absent


def test_a_missing_library_or_gpu_is_no_fault() -> None:
    driver = FakeDriver()
    with pytest.raises(ProbeUnavailable, match="has no GPU") as caught:
        opened(driver)
    assert caught.value.absent
    driver.init_error = 12
    with pytest.raises(ProbeUnavailable, match=r"libnvidia-ml\.so\.1") as caught:
        opened(driver)
    assert caught.value.absent
