"""What the governor would decide now about runs that are not queued. Import this lazily: it loads the engine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from backprop_tui.client.machine import NO_PROBE, OwnSampler
from backprop_tui.client.session import ClientSession
from backprop_tui.config.load import machine_limits, machine_probe
from backprop_tui.domain.governor.admission import Admit, Decision, Hold, decide
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.governor.snapshot import Placement
from backprop_tui.domain.invocation import script_command_line, script_environment
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.lifecycle import begin_attempt
from backprop_tui.domain.run import SLURM, Run
from backprop_tui.domain.run_changes import sort_queue
from backprop_tui.domain.telemetry import Readings, is_stale
from backprop_tui.engine.capacity import Capacity, snapshot_for
from backprop_tui.engine.queued_runs import UnmetDependency, pending_dependencies
from backprop_tui.engine.readings import ReadingsSource
from backprop_tui.engine.unfinished_runs import UnfinishedRuns
from backprop_tui.probes.readings import read_readings
from backprop_tui.store.home import Home


def _decide(home: Home, config_path: str, runs: Sequence[Run], readings: Readings | None) -> tuple[Decision, ...]:
    """The decisions that one pass over the queue would make about these runs, in their order. Changes nothing.

    Runs that are ahead in the queue, queued ones and those of `runs`, are assumed to start where they may. `readings`
    are fresh ones; None means those of the running sampler.
    """
    unfinished = UnfinishedRuns(home)
    unfinished.refresh()
    capacity = Capacity(home, config_path, ReadingsSource(home, readings))
    snapshot = capacity.snapshot(unfinished.active())
    decisions: dict[int, Decision] = {}
    for run in sort_queue([*unfinished.queued(), *runs]):
        dependencies = pending_dependencies(run, unfinished)
        if isinstance(dependencies, UnmetDependency):
            decisions[id(run)] = Hold(reasons=(HoldReason(check=Check.DEPENDENCY, message=dependencies.reason),))
            continue
        candidate = capacity.candidate(run, dependencies)
        decision = decide(candidate, snapshot_for(run, snapshot, capacity.probe))
        decisions[id(run)] = decision
        if not isinstance(decision, Hold):
            snapshot = snapshot.with_started(candidate, decision.placement)
    return tuple(decisions[id(run)] for run in runs)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SlurmPreview:
    """What sbatch would be asked for, and what Slurm says to that; None if it was not asked."""

    options: tuple[str, ...]
    answer: str | None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunPreview:
    """The decision about one run: whether it would start now, on which GPUs, and if not, what it would wait for."""

    run: Run
    decision: Admit | Hold
    job: SlurmPreview | None = None  # of a Slurm run, which Slurm starts when it likes

    @property
    def starts(self) -> bool:
        return isinstance(self.decision, Admit)

    @property
    def hold_messages(self) -> list[str]:
        return [] if isinstance(self.decision, Admit) else [reason.message for reason in self.decision.reasons]

    @property
    def gpu_indices(self) -> list[int]:
        placement = self.decision.placement if isinstance(self.decision, Admit) else None
        return [] if placement is None else [gpu.index for gpu in placement.gpus or ()]

    def first_attempt(self) -> Run:
        placement = self.decision.placement if isinstance(self.decision, Admit) else None
        gpus = () if placement is None or placement.gpus is None else placement.gpus
        return begin_attempt(self.run, now=self.run.created_at, boot_id="", gpus=gpus)

    def command(self) -> tuple[str, ...]:
        return script_command_line(self.first_attempt())

    def variables(self, session: ClientSession, captured: dict[str, str]) -> dict[str, str]:
        return script_environment(self.first_attempt(), session.home.run_folder(self.run.id), captured)


def preview_runs(
    session: ClientSession, runs: Sequence[Run], environment: Mapping[str, str] | None = None
) -> list[RunPreview]:
    """The decision about each run; those before it are taken to have started if they can.

    Slurm is asked once about runs for it, with their `environment`, or not at all without. Raises: SlurmRefused,
    SlurmUnavailable.
    """
    local = [run for run in runs if run.spec.launcher != SLURM]
    measured = _measure(session, local)
    decisions = iter(_decide(session.home, session.config_path, local, measured) if local else ())
    job = _job(next((run for run in runs if run.spec.launcher == SLURM), None), environment)
    admitted = Admit(placement=Placement(gpus=None))
    return [
        RunPreview(run=run, decision=admitted, job=job)
        if run.spec.launcher == SLURM
        else RunPreview(run=run, decision=next(decisions))
        for run in runs
    ]


def _job(run: Run | None, environment: Mapping[str, str] | None) -> SlurmPreview | None:
    if run is None:
        return None
    from backprop_tui.launchers.slurm import Slurm, options_of

    answer = None if environment is None else Slurm(environment=environment).check(run)
    return SlurmPreview(options=tuple(options_of(run)), answer=answer)


def _measure(session: ClientSession, runs: Sequence[Run]) -> Readings | None:
    """Readings taken now with the probe of the first run with GPUs; None if a sampler is alive or the probe fails."""
    probes = (run.spec.gpu_probe for run in runs if run.spec.gpus != 0)
    asked = next(probes, NO_PROBE)
    probe = machine_probe(session.config_path) if asked == "auto" else asked
    seconds = machine_limits(session.config_path).sample_seconds
    readings = read_readings(session.home.readings)
    if probe == NO_PROBE or (readings and not is_stale(time.time() - readings.time, seconds)):
        return None
    sample = OwnSampler(session.home, probe=probe, sample_seconds=seconds).sample()
    return None if sample is None else sample.readings
