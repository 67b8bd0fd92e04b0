"""Which sampler runs, and when."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field, replace

import pytest

from backprop_tui.domain.run import Run
from backprop_tui.engine.readings import SamplerKeeper
from tests.engine.machines import Host


@dataclass
class Sampler:
    """Records its calls."""

    asked: list[str] = field(default_factory=list)
    error: OSError | None = None

    def replace(self, probe: str, interval_seconds: float) -> None:
        self.asked.append(f"{probe} each {interval_seconds:g} s")

    def ensure(self, now: float) -> None:
        if self.error is not None:
            raise self.error
        self.asked.append("lives")

    def stop(self) -> None:
        self.asked.append("stopped")


@pytest.fixture
def sampler() -> Sampler:
    return Sampler()


@pytest.fixture
def sampling(host: Host, sampler: Sampler) -> SamplerKeeper:
    keeper = SamplerKeeper(host.home, host.readings_source)
    keeper._sampler = sampler  # type: ignore[assignment]
    return keeper


def asking(host: Host, run_id: str, probe: str) -> Run:
    run = host.runs.queued(run_id).read()
    return replace(run, spec=replace(run.spec, gpu_probe=probe))


def test_the_probe_of_the_configuration_is_used(sampling: SamplerKeeper, sampler: Sampler) -> None:
    sampling.ensure(())
    assert sampler.asked == ["auto each 1 s", "lives"]


def test_a_run_that_asks_for_a_probe_takes_precedence_over_the_configuration(
    host: Host, sampling: SamplerKeeper, sampler: Sampler
) -> None:
    sampling.ensure([asking(host, "a", "auto"), asking(host, "b", "simulated"), asking(host, "c", "nvml")])
    assert sampler.asked[0] == "simulated each 1 s"
    assert host.readings_source.probe == "simulated"


def test_an_active_run_takes_precedence_over_a_queued_one(
    host: Host, sampling: SamplerKeeper, sampler: Sampler
) -> None:
    guardian = host.runs.guarded("b")
    active = replace(guardian.run, spec=replace(guardian.run.spec, gpu_probe="nvml"))
    sampling.ensure([asking(host, "a", "simulated"), active])
    assert sampler.asked[0] == "nvml each 1 s"
    guardian.dies()


def test_the_probe_of_an_ended_run_does_not_count(host: Host, sampling: SamplerKeeper, sampler: Sampler) -> None:
    run = host.runs.ended("a").read()
    sampling.ensure([replace(run, spec=replace(run.spec, gpu_probe="simulated"))])
    assert sampler.asked[0] == "auto each 1 s"


def test_with_probe_none_there_is_no_sampler(host: Host, sampling: SamplerKeeper, sampler: Sampler) -> None:
    host.readings_source.machine_probe = "none"
    sampling.ensure([asking(host, "a", "auto")])
    assert sampler.asked == ["stopped"]


def test_a_sampler_that_cannot_be_started_is_logged_and_does_no_harm(
    sampling: SamplerKeeper, sampler: Sampler, capfd: pytest.CaptureFixture[str]
) -> None:
    sampler.error = OSError(errno.ENOSPC, "No space left on device")
    sampling.ensure(())
    assert "cannot start the sampler: No space left on device" in capfd.readouterr().err
