"""Selection of the GPU probe."""

from __future__ import annotations

import pytest

from backprop_tui.domain.telemetry import GpuReading
from backprop_tui.probes.gpu_monitor import NoneProbe, ProbeFactories, ProbeSelector, probe_factories
from backprop_tui.probes.gpu_record import GpuProbe, ProbeUnavailable


class Probe:
    """Opens, or fails with the given problem."""

    def __init__(self, name: str, problem: str | None = None, *, absent: bool = False) -> None:
        self.name = name
        self.problem = problem
        self.absent = absent

    def open(self) -> None:
        if self.problem is not None:
            raise ProbeUnavailable(self.problem, absent=self.absent)

    def read(self, _seconds: float) -> tuple[GpuReading, ...]:
        return ()

    def close(self) -> None:
        pass


def factories(*probes: GpuProbe) -> ProbeFactories:
    return {probe.name: (lambda probe=probe: probe) for probe in (*probes, NoneProbe())}  # type: ignore[misc]


def test_the_first_working_probe_is_selected_and_the_reasons_for_skipping_others_are_kept() -> None:
    choice = ProbeSelector("auto", factories(Probe("nvml", "broken"), Probe("nvidia-smi"), Probe("amd"))).choose()
    assert (choice.probe.name, choice.name, choice.problem) == ("nvidia-smi", "nvidia-smi", None)
    assert choice.passed_over == {"nvml": "broken"}


def test_a_machine_without_gpus_has_no_probe_and_no_problem() -> None:
    names = ("nvml", "nvidia-smi", "amd")
    choice = ProbeSelector("auto", factories(*(Probe(name, "not here", absent=True) for name in names))).choose()
    assert (choice.probe.name, choice.name, choice.problem) == ("none", "none", None)
    assert choice.passed_over == dict.fromkeys(names, "not here")


def test_a_broken_probe_is_the_problem() -> None:
    probes = (
        Probe("nvml", "mismatch"),
        Probe("nvidia-smi", "no command", absent=True),
        Probe("amd", "no", absent=True),
    )
    choice = ProbeSelector("auto", factories(*probes)).choose()
    assert (choice.probe.name, choice.name, choice.problem) == ("none", "nvml", "mismatch")


def test_a_requested_probe_that_is_absent_is_a_problem() -> None:
    choice = ProbeSelector("amd", factories(Probe("nvml"), Probe("amd", "no card", absent=True))).choose()
    assert (choice.name, choice.problem) == ("amd", "no card")


def test_none_measures_nothing_without_a_problem() -> None:
    choice = ProbeSelector("none", factories(Probe("nvml"))).choose()
    assert (choice.name, choice.problem, choice.passed_over) == ("none", None, {})


def test_a_probe_is_created_once_and_opened_again() -> None:
    probe = Probe("nvml", "hangs")
    chooser = ProbeSelector("nvml", factories(probe))
    chooser.choose()
    probe.problem = None
    assert chooser.choose().probe is probe


@pytest.mark.parametrize("name", ["nvml", "nvidia-smi", "amd", "simulated", "none"])
def test_every_public_probe_can_be_created(name: str) -> None:
    assert probe_factories("auto", sample_seconds=1.0)[name]().name == name
