"""Parsing the output of nvidia-smi."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.probes.gpu_record import GpuAnswer
from backprop_tui.probes.nvidia_smi import GPU_FIELDS, normalized_address, parse_gpus, parse_processes

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
            figures = (answer.temperature_celsius, answer.power_watts, answer.memory_total_bytes, answer.fan_percent)
            assert all(figure is None or abs(figure) < float("inf") for figure in figures)


def test_addresses_with_4_and_8_digits_are_equal() -> None:
    assert normalized_address("00000000:3B:00.0") == normalized_address("0000:3b:00.0") == "0:3b:00.0"
