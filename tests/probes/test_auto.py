"""Which probe is picked."""

from __future__ import annotations

import pytest

from backprop_tui.domain.telemetry import GpuReading
from backprop_tui.probes.auto import ProbeFactories, ProbeSelector, probe_factories
from backprop_tui.probes.gpu_probe import GpuProbe, ProbeUnavailable
from backprop_tui.probes.none import NoneProbe


class Probe:
    """Opens, or says why it does not."""

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


def test_the_first_that_works_is_picked_and_those_before_it_are_told() -> None:
    found = ProbeSelector("auto", factories(Probe("nvml", "broken"), Probe("nvidia-smi"), Probe("amd"))).choose()
    assert (found.probe.name, found.name, found.problem) == ("nvidia-smi", "nvidia-smi", None)
    assert found.passed_over == {"nvml": "broken"}


def test_where_nothing_is_there_nothing_is_measured_and_that_is_no_fault() -> None:
    names = ("nvml", "nvidia-smi", "amd")
    found = ProbeSelector("auto", factories(*(Probe(name, "not here", absent=True) for name in names))).choose()
    assert (found.probe.name, found.name, found.problem) == ("none", "none", None)
    assert found.passed_over == dict.fromkeys(names, "not here")


def test_where_something_is_there_and_broken_that_is_the_problem() -> None:
    probes = (
        Probe("nvml", "mismatch"),
        Probe("nvidia-smi", "no command", absent=True),
        Probe("amd", "no", absent=True),
    )
    found = ProbeSelector("auto", factories(*probes)).choose()
    assert (found.probe.name, found.name, found.problem) == ("none", "nvml", "mismatch")


def test_what_was_asked_for_and_is_not_there_is_a_problem() -> None:
    found = ProbeSelector("amd", factories(Probe("nvml"), Probe("amd", "no card", absent=True))).choose()
    assert (found.name, found.problem) == ("amd", "no card")


def test_none_measures_nothing_without_a_problem() -> None:
    found = ProbeSelector("none", factories(Probe("nvml"))).choose()
    assert (found.name, found.problem, found.passed_over) == ("none", None, {})


def test_a_probe_is_made_once_and_asked_again() -> None:
    probe = Probe("nvml", "hangs")
    chooser = ProbeSelector("nvml", factories(probe))
    chooser.choose()
    probe.problem = None
    assert chooser.choose().probe is probe


@pytest.mark.parametrize("name", ["nvml", "nvidia-smi", "amd", "simulated", "none"])
def test_every_probe_of_the_interface_can_be_made(name: str) -> None:
    assert probe_factories("auto", sample_seconds=1.0)[name]().name == name
