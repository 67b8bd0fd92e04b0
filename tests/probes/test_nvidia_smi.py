"""NVIDIA GPUs through a fake nvidia-smi on PATH."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading
from backprop_tui.probes.gpu_record import GpuAnswer, ProbeUnavailable
from backprop_tui.probes.nvidia_smi import (
    GPU_FIELDS,
    NvidiaSmiProbe,
    normalized_address,
    parse_gpus,
    parse_processes,
)
from tests.support.waiting import wait_until

MIB = 1 << 20
LONG = 5.0

ROW_0 = "0, GPU-a, NVIDIA Test, 00000000:3B:00.0, 55, 90, 81559, 1000, 300.50, [N/A], 350.00"
ROW_1 = "1, GPU-b, NVIDIA Test, 00000000:AF:00.0, 40, 0, 81559, 0, 70.00, 30, 350.00"
LOST_1 = (
    "Unable to determine the device handle for GPU0000:AF:00.0: GPU is lost.  Reboot the system to recover this GPU"
)
NOT_LOADED = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
    "Make sure that the latest NVIDIA driver is installed and running."
)

# Prints the file named after the query; its first line is the exit code, and "hang" in it makes the call hang.
FAKE = f"""#!{sys.executable} -IS
import os, sys, time
asked = "apps" if any("compute-apps" in word for word in sys.argv) else "all"
if "-i" in sys.argv:
    asked = sys.argv[sys.argv.index("-i") + 1]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), asked), encoding="latin-1") as file:
    code, text = file.read().split("\\n", 1)
if "hang" in text:
    time.sleep(30)
sys.stdout.write(text)
sys.exit(int(code))
"""

Answer = Callable[..., None]


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Sets what the fake prints for a query: all, apps, or the index of a GPU."""
    fake = tmp_path / "nvidia-smi"
    fake.write_text(FAKE)
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    def set_answer(*lines: str, code: int = 0, to: str = "all") -> None:
        new = tmp_path / f"{to}.new"
        new.write_text("\n".join([str(code), *lines]) + "\n", encoding="latin-1")
        new.rename(tmp_path / to)

    set_answer(to="apps")
    return set_answer


def opened(
    sample_seconds: float = 1.0, *, call_seconds: float = LONG, suspect_seconds: float = LONG, sys_root: str = "/none"
) -> NvidiaSmiProbe:
    probe = NvidiaSmiProbe(
        sample_seconds=sample_seconds, call_seconds=call_seconds, suspect_seconds=suspect_seconds, sys_root=sys_root
    )
    probe.open()
    return probe


def test_every_metric_has_the_unit_of_its_name(answer: Answer) -> None:
    answer(ROW_0)
    (gpu,) = opened().read(LONG)
    assert gpu == GpuReading(
        index=0,
        uuid="GPU-a",
        name="NVIDIA Test",
        temperature_celsius=55.0,
        utilization_percent=90.0,
        memory_total_bytes=81559 * MIB,
        memory_used_bytes=1000 * MIB,
        power_watts=300.5,
        power_limit_watts=350.0,
        fan_percent=None,
    )


def test_processes_are_listed_with_their_memory_if_known(answer: Answer) -> None:
    answer(ROW_0)
    answer("GPU-a, 41, 500", "GPU-a, 42, [N/A]", "GPU-b, 43, 1", "nonsense", to="apps")
    probe = opened()
    processes = wait_until(lambda: probe.read(LONG)[0].processes, "the list of processes")
    assert processes == (GpuProcess(pid=41, memory_bytes=500 * MIB), GpuProcess(pid=42, memory_bytes=None))


@pytest.mark.parametrize("missing", ["[N/A]", "[Not Supported]", "N/A", "[Insufficient Permissions]"])
def test_a_metric_that_the_gpu_does_not_have_is_none_without_a_problem(answer: Answer, missing: str) -> None:
    answer(f"0, GPU-a, NVIDIA Test, 00000000:3B:00.0, {', '.join([missing] * 7)}")
    (gpu,) = opened().read(LONG)
    assert gpu == GpuReading(index=0, uuid="GPU-a", name="NVIDIA Test")


def test_a_temperature_that_fails_becomes_stale(answer: Answer) -> None:
    answer(ROW_0)
    probe = opened(sample_seconds=0.001)
    probe.read(LONG)
    answer(ROW_0.replace(" 55,", " [Unknown Error],"))
    (gpu,) = probe.read(LONG)
    assert (gpu.health, gpu.temperature_celsius) == (GpuHealth.STALE, 55.0)
    assert gpu.problem == "temperature not readable: unknown error"


def test_a_lost_gpu_is_identified_by_its_address_and_hides_no_other(answer: Answer) -> None:
    answer(ROW_0, ROW_1)
    probe = opened()
    probe.read(LONG)
    answer(ROW_0, LOST_1, code=15)
    first, second = probe.read(LONG)
    assert first.health is GpuHealth.OK
    assert (second.uuid, second.health) == ("GPU-b", GpuHealth.LOST)
    assert second.problem == "GPU is lost. Reboot the system to recover this GPU"


def test_a_gpu_that_was_lost_before_the_start_is_listed(answer: Answer) -> None:
    answer(ROW_0, LOST_1, code=15)
    assert [gpu.health for gpu in opened().read(LONG)] == [GpuHealth.OK, GpuHealth.LOST]


def test_gpus_are_queried_one_by_one_if_the_common_query_omits_one(answer: Answer) -> None:
    """nvidia-smi stops at a lost GPU."""
    answer(ROW_0, ROW_1)
    probe = opened()
    answer(LOST_1, code=15)
    answer(ROW_0.replace(" 55,", " 66,"), to="0")
    answer(LOST_1, code=15, to="1")
    probe.read(LONG)
    first, second = probe.read(LONG)
    assert (first.health, first.temperature_celsius) == (GpuHealth.OK, 66.0)
    assert second.health is GpuHealth.LOST


def test_a_gpu_that_blocks_the_common_query_does_not_hide_the_other(answer: Answer) -> None:
    answer(ROW_0, ROW_1)
    probe = opened(sample_seconds=0.1, call_seconds=1.0, suspect_seconds=0.1)
    answer("hang")
    answer("hang", to="0")
    answer(ROW_1.replace(" 40,", " 44,"), to="1")
    before = time.monotonic()
    second = wait_until(
        lambda: next((gpu for gpu in probe.read(0.15) if gpu.index == 1 and gpu.temperature_celsius == 44), None),
        "a fresh figure of the GPU that answers",
    )
    assert second.health is GpuHealth.OK
    first = wait_until(lambda: next((gpu for gpu in probe.read(0.1) if gpu.health is GpuHealth.STALE), None), "stale")
    assert (first.index, first.temperature_celsius) == (0, 55.0)
    assert time.monotonic() - before < 3


def test_a_call_that_hangs_is_killed_and_another_is_made(answer: Answer) -> None:
    answer(ROW_0)
    probe = opened(sample_seconds=0.01, call_seconds=0.3, suspect_seconds=0.1)
    answer("hang")
    wait_until(lambda: probe.read(0.1)[0].problem, "a problem")
    answer(ROW_0.replace(" 55,", " 77,"))
    wait_until(lambda: probe.read(0.5)[0].temperature_celsius == 77.0, "the figure after the hang")


@pytest.mark.parametrize(
    ("lines", "code", "expected", "absent"),
    [
        ((NOT_LOADED,), 9, "driver not loaded", False),
        (("Failed to initialize NVML: Driver/library version mismatch",), 18, "differ in version", False),
        (("No devices were processes",), 6, "has no GPU", True),
        (("Something new",), 77, 'exit code 77, "Something new"', False),
        (("\x00\xff no, such, table", ",,,,", "-1"), 0, "no table of GPUs but", False),
        ((), 0, "but nothing", False),
    ],
    ids=["not loaded", "mismatch", "no devices", "exit code", "garbage", "empty"],
)
def test_output_without_a_table_is_a_readable_problem(
    answer: Answer, lines: tuple[str, ...], code: int, expected: str, *, absent: bool
) -> None:
    answer(*lines, code=code)
    with pytest.raises(ProbeUnavailable) as caught:
        opened()
    assert expected in caught.value.problem
    assert caught.value.absent is absent
    assert caught.value.problem.isprintable()


def test_a_later_failure_is_reported_and_the_probe_can_be_reopened(answer: Answer) -> None:
    answer(ROW_0)
    probe = opened()
    answer(NOT_LOADED, code=9)
    with pytest.raises(ProbeUnavailable):
        probe.read(LONG)
    answer(ROW_0)
    probe.open()
    assert probe.read(LONG)[0].uuid == "GPU-a"


def test_a_missing_command_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProbeUnavailable, match="no nvidia-smi on PATH") as caught:
        opened()
    assert caught.value.absent


def test_a_call_that_hangs_at_the_start_is_a_problem(answer: Answer) -> None:
    answer("hang")
    with pytest.raises(ProbeUnavailable, match="has not returned"):
        opened(call_seconds=0.2)


cells = st.one_of(st.text(max_size=8), st.integers().map(str), st.floats().map(str), st.sampled_from(["[N/A]", "0"]))


@given(st.lists(st.lists(cells, max_size=12).map(", ".join)).map("\n".join))
def test_no_output_breaks_the_parser(text: str) -> None:
    parse_gpus(text)
    parse_processes(text)


@given(st.lists(cells, min_size=len(GPU_FIELDS) - 2, max_size=len(GPU_FIELDS) - 2))
def test_a_row_has_finite_numbers_or_none(rest: list[str]) -> None:
    line = ", ".join(["0", "GPU-a", *(cell.replace(",", "").replace("\n", "") for cell in rest)])
    for answer in parse_gpus(line).answers.values():
        if isinstance(answer, GpuAnswer):
            values = (answer.temperature_celsius, answer.power_watts, answer.memory_total_bytes, answer.fan_percent)
            assert all(value is None or abs(value) < float("inf") for value in values)


def test_addresses_with_4_and_8_digits_are_equal() -> None:
    assert normalized_address("00000000:3B:00.0") == normalized_address("0000:3b:00.0") == "0:3b:00.0"
