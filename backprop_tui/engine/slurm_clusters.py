"""What squeue says about this user's jobs: one call for all runs of a cluster, every five seconds at most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Ended, Run, State
from backprop_tui.domain.slurm import JobReport
from backprop_tui.launchers.slurm import Slurm, slurm_of
from backprop_tui.processes.detached_log import note
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory

POLL_SECONDS = 5.0  # login nodes are shared: all jobs are asked for in one call, and no more often
MAX_POLL_SECONDS = 60.0  # while the controller does not answer


@lazy_dataclass(slots=True)
class Cluster:
    """A cluster as its runs reach it, and the last answer of its squeue."""

    slurm: Slurm
    reports: Mapping[str, JobReport] = field(default_factory=dict)  # by job id
    answered_at: float | None = None  # monotonic
    _asked_at: float = -MAX_POLL_SECONDS
    _failures: int = 0

    @property
    def answers(self) -> bool:
        """Whether the last question was answered."""
        return self.answered_at is not None and self._failures == 0

    def poll(self, now: float) -> bool:
        """Asks for all jobs, unless that was done in the last seconds; returns whether the answer is another one.

        While nobody answers it asks less often.
        """
        if now - self._asked_at < min(POLL_SECONDS * 2**self._failures, MAX_POLL_SECONDS):
            return False
        self._asked_at = now
        try:
            before, self.reports = self.reports, self.slurm.queue()
        except BackpropError as error:
            if self._failures == 0:
                note(str(error))
            self._failures = min(self._failures + 1, 5)
            return False
        is_first, self.answered_at, self._failures = self.answered_at is None, now, 0
        return is_first or self.reports != before

    def report_of(self, run: Run) -> JobReport | None:
        """The report on the run's job. A controller that was killed may give the same id to another job."""
        job = run.job
        report = None if job is None else self.reports.get(job.id or "")
        return report if report is not None and job is not None and report.carries(run.id, job.number) else None

    def find_unrecorded(self, run: Run) -> JobReport | None:
        """The job that a process submitted for the next attempt and was killed before it could record it."""
        number = run.next_job_number
        return next((report for report in self.reports.values() if report.carries(run.id, number)), None)


class Clusters:
    """The clusters of all runs: those with the same variables share one, and its answers."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._clusters: dict[tuple[str, ...], Cluster] = {}
        self._of_runs: dict[str, tuple[State, Cluster]] = {}  # a run that is resumed has another environment
        self._asked_for: list[Run] | None = None

    def __iter__(self) -> Iterator[Cluster]:
        return iter(self._clusters.values())

    def of(self, run: Run) -> Cluster:
        """The cluster that the run's environment names, which is deleted when the run ends."""
        known = self._of_runs.get(run.id)
        if known is None or not (known[0] is run.state or isinstance(run.state, Ended)):
            slurm = slurm_of(RunDirectory(self._home.run_folder(run.id)))
            known = self._of_runs[run.id] = run.state, self._clusters.setdefault(slurm.cluster, Cluster(slurm))
        return known[1]

    def poll(self, runs: list[Run], now: float) -> bool:
        """Asks the clusters of these runs, and forgets the others; returns whether an answer is another one."""
        if runs is not self._asked_for:
            clusters = {run.id: (run.state, self.of(run)) for run in runs}
            used = {id(cluster) for _, cluster in clusters.values()}
            self._of_runs, self._asked_for = clusters, runs
            self._clusters = {key: cluster for key, cluster in self._clusters.items() if id(cluster) in used}
        answers = [cluster.poll(now) for cluster in self]
        return any(answers)
