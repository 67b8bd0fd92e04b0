"""AMD GPUs in a fake sysfs."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading
from backprop_tui.probes.amd import AmdProbe
from backprop_tui.probes.gpu_record import ProbeUnavailable
from tests.support.waiting import wait_until

LONG = 2.0


class Card:
    """A card with its files, as the kernel lays them out: cardN links to the device."""

    def __init__(self, root: Path, number: int, *, vendor: str = "0x1002") -> None:
        self.address = f"0000:{number:02x}:00.0"
        self.device = root / "devices" / self.address
        self.link = root / f"class/drm/card{number}"
        self.link.mkdir(parents=True)
        (root / f"class/drm/card{number}-DP-1").mkdir()
        self.put("vendor", vendor)
        (self.link / "device").symlink_to(self.device)

    def put(self, name: str, value: object) -> None:
        path = self.device / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")

    def fill(self) -> Card:
        for name, value in {
            "unique_id": "fa4ea3d000000001",
            "product_name": "AMD Test",
            "gpu_busy_percent": 97,
            "mem_info_vram_total": 24_000,
            "mem_info_vram_used": 1_000,
            "drm/renderD128/dev": "226:128",
            "hwmon/hwmon7/temp1_label": "edge",
            "hwmon/hwmon7/temp1_input": 61_000,
            "hwmon/hwmon7/temp1_crit": 100_000,
            "hwmon/hwmon7/temp2_label": "junction",
            "hwmon/hwmon7/temp2_input": 78_000,
            "hwmon/hwmon7/power1_average": 290_500_000,
            "hwmon/hwmon7/power1_cap": 339_000_000,
            "hwmon/hwmon7/pwm1": 51,
            "hwmon/hwmon7/pwm1_max": 255,
        }.items():
            self.put(name, value)
        return self


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(tmp_path, 1).fill()


def opened(root: Path, sample_seconds: float = 1.0) -> AmdProbe:
    probe = AmdProbe(sample_seconds=sample_seconds, sys_root=str(root))
    probe.open()
    return probe


def test_every_metric_has_the_unit_of_its_name_and_the_temperature_is_that_of_the_edge(
    tmp_path: Path, card: Card
) -> None:
    (gpu,) = opened(tmp_path).read(LONG)
    assert gpu == GpuReading(
        index=0,
        uuid="GPU-fa4ea3d000000001",
        name="AMD Test",
        temperature_celsius=61.0,
        utilization_percent=97.0,
        memory_total_bytes=24_000,
        memory_used_bytes=1_000,
        power_watts=290.5,
        power_limit_watts=339.0,
        fan_percent=20.0,
    )


def test_a_card_without_an_edge_sensor_uses_its_junction(tmp_path: Path, card: Card) -> None:
    card.put("hwmon/hwmon7/temp1_label", "mem")
    assert opened(tmp_path).read(LONG)[0].temperature_celsius == 78.0


def test_newer_cards_report_their_current_power(tmp_path: Path, card: Card) -> None:
    (card.device / "hwmon/hwmon7/power1_average").unlink()
    card.put("hwmon/hwmon7/power1_input", 12_000_000)
    assert opened(tmp_path).read(LONG)[0].power_watts == 12.0


def test_a_card_with_few_files_is_identified_by_its_pci_address(tmp_path: Path) -> None:
    bare = Card(tmp_path, 1)
    bare.put("device", "0x744c")
    (gpu,) = opened(tmp_path).read(LONG)
    assert gpu == GpuReading(index=0, uuid=bare.address, name="AMD GPU 0x744c")


def test_cards_of_other_vendors_and_connectors_are_ignored(tmp_path: Path, card: Card) -> None:
    Card(tmp_path, 0, vendor="0x8086")
    assert [gpu.uuid for gpu in opened(tmp_path).read(LONG)] == ["GPU-fa4ea3d000000001"]


def test_cards_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 2):
        Card(tmp_path, number).put("unique_id", number)
    assert [gpu.uuid for gpu in opened(tmp_path).read(LONG)] == ["GPU-2", "GPU-10"]


@pytest.mark.parametrize("text", ["", "N/A"])
def test_a_file_without_a_number_is_reported_as_a_failure(tmp_path: Path, card: Card, text: str) -> None:
    card.put("gpu_busy_percent", text)
    (gpu,) = opened(tmp_path).read(LONG)
    assert (gpu.health, gpu.utilization_percent) == (GpuHealth.OK, None)
    assert gpu.problem == "utilization not readable: not a number"


def test_a_temperature_that_cannot_be_read_becomes_stale(tmp_path: Path, card: Card) -> None:
    probe = opened(tmp_path, sample_seconds=0.001)
    probe.read(LONG)
    sensor = card.device / "hwmon/hwmon7/temp1_input"
    sensor.unlink()
    sensor.symlink_to("/proc/self/mem")  # reading its first byte is an input/output error
    time.sleep(0.01)
    (gpu,) = probe.read(LONG)
    assert (gpu.health, gpu.temperature_celsius) == (GpuHealth.STALE, 61.0)
    assert "Input/output error" in (gpu.problem or "")


def test_a_card_that_hangs_does_not_block_the_others(tmp_path: Path, card: Card) -> None:
    Card(tmp_path, 2).fill()
    probe = opened(tmp_path, sample_seconds=0.05)
    probe.read(LONG)
    pipe = card.device / "gpu_busy_percent"
    pipe.unlink()
    os.mkfifo(pipe)
    probe.read(0.05)
    hung, other = wait_until(lambda: _if_stale(probe.read(0.05)), "stale")
    assert (hung.health, other.health) == (GpuHealth.STALE, GpuHealth.OK)
    pipe.write_text("12\n")  # lets the reader go
    wait_until(lambda: probe.read(0.1)[0].utilization_percent == 12.0, "the figure after the hang")


def _if_stale(gpus: tuple[GpuReading, ...]) -> tuple[GpuReading, ...] | None:
    return gpus if gpus[0].health is GpuHealth.STALE else None


def test_an_unplugged_card_is_lost_until_it_is_back(tmp_path: Path, card: Card) -> None:
    probe = opened(tmp_path)
    probe.read(LONG)
    aside = tmp_path / "aside"
    shutil.move(card.device, aside)
    (gpu,) = probe.read(LONG)
    assert (gpu.uuid, gpu.health, gpu.temperature_celsius) == ("GPU-fa4ea3d000000001", GpuHealth.LOST, None)
    shutil.move(aside, card.device)
    assert probe.read(LONG)[0].health is GpuHealth.OK


def test_processes_are_found_through_the_render_node(tmp_path: Path, card: Card) -> None:
    kfd = tmp_path / "class/kfd/kfd"
    for name, text in {
        "topology/nodes/0/properties": "drm_render_minor 0",
        "topology/nodes/0/gpu_id": "0",
        "topology/nodes/1/properties": "simd_count 120\ndrm_render_minor 128",
        "topology/nodes/1/gpu_id": "50123",
        "proc/41/vram_50123": "9000",
        "proc/42/vram_50123": "0",
    }.items():
        path = kfd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    assert opened(tmp_path).read(LONG)[0].processes == (GpuProcess(pid=41, memory_bytes=9000),)


def test_a_missing_card_is_no_fault(tmp_path: Path) -> None:
    with pytest.raises(ProbeUnavailable) as caught:
        opened(tmp_path)
    assert caught.value.absent


@pytest.mark.parametrize(("least", "usable"), [(24_000, True), (24_001, False)])
def test_cards_with_little_memory_are_used_only_if_requested(
    tmp_path: Path, card: Card, least: int, *, usable: bool
) -> None:
    probe = AmdProbe(sample_seconds=1.0, sys_root=str(tmp_path), min_vram_bytes=least)
    if usable:
        probe.open()
        return
    with pytest.raises(ProbeUnavailable, match="--gpu-probe amd"):
        probe.open()
