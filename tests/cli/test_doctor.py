"""`doctor` finds what keeps runs from starting or surviving, and says how to mend it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from backprop_tui import __version__
from backprop_tui.cli.doctor import Finding, Level
from backprop_tui.cli.doctor.machine import (
    check_gpus,
    check_kernel,
    check_logout,
    check_memory,
    check_parallel,
    check_python,
    check_shared_memory,
    check_temporary_folder,
    check_terminal,
    colours,
)
from backprop_tui.cli.doctor.state import (
    check_index,
    check_locks,
    check_settings,
    check_space,
    check_state,
    check_work,
    file_system_of,
)
from backprop_tui.cli.session import Session
from backprop_tui.config.load import read_layers
from backprop_tui.domain.limits import MachineLimits
from backprop_tui.domain.telemetry import GpuHealth, GpuReading, HostReading, Readings
from backprop_tui.probes.cgroups import Cgroups
from backprop_tui.probes.readings import Sample
from backprop_tui.store.files import dump, write_atomically
from backprop_tui.store.home import Home
from tests.support.commands import Commands
from tests.support.runs import Runs

GB = 2**30
CHECKS = {
    *("python", "scripts", "kernel", "state", "locks", "file system", "disk", "index", "settings", "supervisor"),
    *("logout", "memory", "cores", "shm", "temp", "gpu probe", "terminal", "characters"),
}


def only(findings: Iterable[Finding]) -> Finding:
    [finding] = findings
    return finding


def without_figures(text: str) -> str:
    """Free memory and free disk space differ from one check to the next."""
    return re.sub(r"[\d.]+", "0", text)


def levels(findings: Iterable[Finding]) -> dict[str, Level]:
    return {finding.check: finding.level for finding in findings}


@pytest.fixture
def no_cgroups(tmp_path: Path) -> Iterator[Cgroups]:
    return Cgroups(proc=str(tmp_path), mount=str(tmp_path))  # type: ignore[return-value]


def test_everything_is_checked_and_every_problem_has_advice(obey: Commands, session: Session) -> None:
    os.makedirs(os.path.dirname(session.config_path))
    with open(session.config_path, "w", encoding="ascii") as file:
        file.write('[gpu]\nprobe = "none"\n')
    result = obey("doctor", "--json")
    checks = result.json["checks"]
    assert {check["check"] for check in checks} >= CHECKS
    assert all((check["advice"] is None) == (check["level"] == "ok") for check in checks)
    assert result.json["ok"] is (result.code == 0)
    text = without_figures(obey("doctor").out)
    assert all(without_figures(check["message"].split(":")[0]) in text for check in checks)


def test_something_bad_makes_the_exit_code_1(obey: Commands, session: Session) -> None:
    os.makedirs(os.path.dirname(session.config_path))
    with open(session.config_path, "w", encoding="ascii") as file:
        file.write('max_paralel = 1\n[gpu]\nprobe = "none"\n')
    result = obey("doctor")
    assert result.code == 1
    assert "bad   settings" in result.out
    assert "did you mean 'max_parallel'?" in result.out


@pytest.mark.parametrize(
    ("release", "level"), [("5.3.18-lp152", Level.BAD), ("4.18.0-553.el8", Level.BAD), ("6.18.44", Level.OK)]
)
def test_an_old_kernel_is_bad(release: str, level: Level) -> None:
    assert levels(check_kernel(release))["kernel"] is level


def test_how_the_processes_of_a_run_are_listed_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert levels(check_kernel("6.1", proc=str(tmp_path)))["proc"] is Level.BAD
    monkeypatch.setattr("backprop_tui.cli.doctor.machine.lists_children", lambda: False)
    assert levels(check_kernel("6.1"))["proc"] is Level.WARN


def test_the_python_for_scripts_is_reported(tmp_path: Path) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("")
    python.chmod(0o755)
    findings = {finding.check: finding for finding in check_python(str(tmp_path), {})}
    assert str(python) in findings["scripts"].message
    assert levels(check_python("/", {"PATH": str(tmp_path)}))["scripts"] is Level.WARN


def test_the_environment_of_this_program_is_not_one_to_train_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.touch(mode=0o755)
    environment = {"VIRTUAL_ENV": str(tmp_path)}
    assert levels(check_python("/", environment))["scripts"] is Level.OK
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    findings = {finding.check: finding for finding in check_python("/", environment)}
    assert findings["scripts"].level is Level.WARN
    assert findings["scripts"].message.endswith("; that is the environment of backprop-tui itself")


def test_too_little_ram_for_any_run_is_reported(tmp_path: Path, no_cgroups: Cgroups) -> None:
    def look(total: int | None, free: int | None) -> Finding:
        host = HostReading(ram_total_bytes=total, ram_available_bytes=free)
        return only(check_memory(host, min_free_bytes=4 * GB, cgroups=no_cgroups))

    assert look(64 * GB, 32 * GB).level is Level.OK
    assert look(64 * GB, 2 * GB).level is Level.WARN
    assert look(None, None).level is Level.WARN
    never = look(2 * GB, 1 * GB)
    assert never.level is Level.BAD
    assert "no run ever starts" in never.message
    assert never.advice == "backprop-tui config set min_free_ram_gb 0.5"


def test_a_limit_of_the_control_group_is_named(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text("0::/\n")
    (tmp_path / "memory.max").write_text(str(8 * GB))
    host = HostReading(ram_total_bytes=8 * GB, ram_available_bytes=6 * GB)
    cgroups = Cgroups(proc=str(tmp_path), mount=str(tmp_path))
    assert "by the control group" in only(check_memory(host, min_free_bytes=GB, cgroups=cgroups)).message


def test_missing_shared_memory_is_reported(tmp_path: Path) -> None:
    assert only(check_shared_memory(str(tmp_path / "none"))).level is Level.WARN


class TestLogout:
    """What systemd does to runs when their user logs out."""

    @staticmethod
    def look(root: Path, **files: str) -> Finding:
        (root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            path = root / "etc/systemd" / name.replace("__", "/").replace("_conf", ".conf")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return only(check_logout("ada", root=str(root), ask=False))

    def test_without_systemd_all_is_well(self, tmp_path: Path) -> None:
        assert only(check_logout("ada", root=str(tmp_path), ask=False)).level is Level.OK

    def test_without_a_setting_no_run_is_ended(self, tmp_path: Path) -> None:
        assert self.look(tmp_path, logind_conf="[Login]\n#KillUserProcesses=yes\n").level is Level.OK

    def test_runs_that_would_be_ended_are_a_problem_that_lingering_solves(self, tmp_path: Path) -> None:
        finding = self.look(tmp_path, logind_conf="[Login]\nKillUserProcesses = yes\n")
        assert finding.level is Level.BAD
        assert (finding.advice or "").startswith("loginctl enable-linger ada")
        linger = tmp_path / "var/lib/systemd/linger"
        linger.mkdir(parents=True)
        (linger / "ada").touch()
        assert self.look(tmp_path).level is Level.OK

    def test_a_drop_in_wins_over_the_file(self, tmp_path: Path) -> None:
        finding = self.look(
            tmp_path, logind_conf="KillUserProcesses=yes", **{"logind.conf.d__10-mine_conf": "KillUserProcesses=no"}
        )
        assert finding.level is Level.OK


def test_a_missing_state_directory_is_ok(tmp_path: Path) -> None:
    findings = {
        finding.check: finding for finding in check_state(Home(str(tmp_path / "a" / "b"), "h"), min_free_bytes=0)
    }
    assert findings["state"].level is Level.OK
    assert not (tmp_path / "a").exists()


def test_a_file_in_its_place_is_bad(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    assert levels(check_state(Home(str(tmp_path / "state"), "h"), min_free_bytes=0))["state"] is Level.BAD


def test_a_state_directory_that_others_may_read_is_reported(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    findings = {finding.check: finding for finding in check_state(Home(str(tmp_path), "h"), min_free_bytes=0)}
    assert (findings["state"].level, findings["state"].advice) == (Level.WARN, f"chmod 700 {tmp_path}")
    tmp_path.chmod(0o700)
    assert levels(check_state(Home(str(tmp_path), "h"), min_free_bytes=0))["state"] is Level.OK


def test_locks_are_tried_and_nothing_is_left(tmp_path: Path) -> None:
    assert [finding.message for finding in check_locks(str(tmp_path))] == ["work"]
    assert list(tmp_path.iterdir()) == []


def test_locks_that_two_can_hold_are_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcntl.flock", lambda *_: None)
    assert only(check_locks(str(tmp_path))).level is Level.BAD


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        ("ext4", Level.OK),
        ("nfs4", Level.WARN),
        ("tmpfs", Level.WARN),
        ("overlay", Level.WARN),
        ("fuse.sshfs", Level.WARN),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path, kind: str, level: Level) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 8:1 / / rw,relatime shared:1 - xfs /dev/sda1 rw\n"
        f"22 21 0:40 / {tmp_path} rw - {kind} server:/home rw\n"
        f"23 21 0:41 / {tmp_path}-other rw - proc proc rw\n"
    )
    (tmp_path / "state").mkdir(mode=0o700)
    findings = levels(check_state(Home(str(tmp_path / "state"), "h"), min_free_bytes=0, mounts=str(mounts)))
    assert findings["file system"] is level
    assert file_system_of("/usr", str(mounts)) == "xfs"
    assert file_system_of("/usr", str(tmp_path / "none")) is None


def test_a_full_disk_is_bad_and_the_advice_says_how_to_free_space(tmp_path: Path) -> None:
    finding = next(check_space(str(tmp_path), min_free_bytes=10**18))
    assert finding.level is Level.BAD
    assert "backprop-tui clean" in (finding.advice or "")


def test_a_broken_index_is_reported_and_nothing_is_lost(session: Session) -> None:
    assert only(check_index(session.home)).level is Level.OK
    with open(session.home.index, "w", encoding="ascii") as file:
        file.write("{")
    assert only(check_index(session.home)).level is Level.WARN


def test_unfinished_runs_without_a_supervisor_are_reported(session: Session, runs: Runs) -> None:
    assert only(check_work(session.home)).level is Level.OK
    runs.queued("a")
    finding = only(check_work(session.home))
    assert (finding.level, finding.message) == (Level.WARN, "none, and 1 unfinished run")


def test_settings_are_checked_in_every_place(tmp_path: Path) -> None:
    (tmp_path / "backprop.toml").write_text("x = 1\ny = 2\n")
    layers = read_layers(str(tmp_path / "none.toml"), str(tmp_path), {"BACKPROP_MAX_PARALLEL": "x"}, named=False)
    findings = check_settings(layers)
    assert [finding.level for finding in findings] == [Level.OK, Level.BAD, Level.BAD, Level.BAD]


@pytest.mark.parametrize(
    ("environment", "level"),
    [({"TERM": "xterm-256color"}, Level.OK), ({"TERM": "dumb"}, Level.WARN), ({}, Level.WARN)],
)
def test_a_terminal_that_cannot_draw_is_reported(environment: dict[str, str], level: Level) -> None:
    assert levels(check_terminal(environment, size=None))["terminal"] is level


def test_colours_and_size_of_a_terminal_are_reported() -> None:
    assert colours({"TERM": "xterm", "COLORTERM": "truecolor"}) == "16 million colors"
    assert colours({"TERM": "screen-256color"}) == "256 colors"
    assert colours({"TERM": "xterm", "NO_COLOR": "1", "COLORTERM": "truecolor"}).startswith("no colors")
    assert "size" in levels(check_terminal({"TERM": "xterm"}, size=(60, 24)))
    assert "size" not in levels(check_terminal({"TERM": "xterm"}, size=(80, 24)))
    assert "size" not in levels(check_terminal({"TERM": "xterm"}, size=(0, 0)))


def machine(*gpus: GpuReading, problem: str | None = None, known: bool = True) -> Sample:
    readings = Readings(time=1.0, host=HostReading(), gpus=gpus, probe="nvml", probe_problem=problem)
    return Sample(readings=readings, gpus_known=known, passed_over={"amd": "no card"}, pid=1, boot_id="boot")


def gpu(health: GpuHealth, problem: str | None = None) -> GpuReading:
    return GpuReading(
        index=0,
        uuid="GPU-1",
        name="H100",
        health=health,
        temperature_celsius=40.0,
        memory_total_bytes=80 * GB,
        memory_used_bytes=GB,
        problem=problem,
    )


@pytest.mark.parametrize(
    ("health", "level"),
    [
        (GpuHealth.OK, Level.OK),
        (GpuHealth.HOT, Level.WARN),
        (GpuHealth.STALE, Level.WARN),
        (GpuHealth.UNKNOWN, Level.WARN),
        (GpuHealth.LOST, Level.BAD),
    ],
)
def test_each_gpu_is_reported_with_its_health(health: GpuHealth, level: Level) -> None:
    findings = {finding.check: finding for finding in check_gpus(machine(gpu(health, "Xid 79")), "auto")}
    assert findings["gpu 0"].level is level
    assert "79 GB of 80 GB free, 40 °C" in findings["gpu 0"].message
    assert "Xid 79" in findings["gpu 0"].message
    assert findings["gpu probe"].message == "nvml chosen; amd: no card"


def test_a_broken_probe_is_bad_and_no_probe_is_ok() -> None:
    assert only(check_gpus(machine(problem="driver mismatch"), "auto")).level is Level.BAD
    assert only(check_gpus(machine(known=False), "auto")).level is Level.WARN
    assert only(check_gpus(machine(), "auto")).message == "no GPU found (amd: no card)"
    assert only(check_gpus(machine(), "none")).level is Level.OK


def test_a_missing_temporary_directory_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def gettempdir() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    assert only(check_temporary_folder()).level is Level.OK
    monkeypatch.setattr("tempfile.gettempdir", gettempdir)
    assert "set TMPDIR" in str(only(check_temporary_folder()).advice)


def test_a_check_that_fails_is_a_finding(obey: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    def check_kernel(_: str) -> Iterator[Finding]:
        yield Finding(check="kernel", level=Level.OK, message="begins well")
        raise OSError("no such kernel")

    monkeypatch.setattr("backprop_tui.cli.doctor.machine.check_kernel", check_kernel)
    result = obey("doctor")
    assert result.code == 1
    assert "bad   kernel       cannot be checked: no such kernel" in result.out
    assert "terminal" in result.out


@pytest.mark.parametrize(("version", "named"), [("0.0.1", "of version 0.0.1"), (None, "of an earlier version")])
def test_a_supervisor_of_another_version_is_reported(
    session: Session, monkeypatch: pytest.MonkeyPatch, version: str | None, named: str
) -> None:
    monkeypatch.setattr("backprop_tui.cli.doctor.state.supervisor_pid", lambda _: os.getpid())
    record = {"pid": os.getpid()} | ({} if version is None else {"version": version})
    write_atomically(session.home.governor, dump(record), durable=False)
    finding = only(check_work(session.home))
    assert finding.level is Level.WARN
    assert named in finding.message
    assert f"kill {os.getpid()}" in str(finding.advice)
    write_atomically(session.home.governor, dump(record | {"version": __version__}), durable=False)
    assert only(check_work(session.home)).level is Level.OK


@pytest.mark.parametrize(
    ("limit", "gpus", "message"),
    [
        (None, 8, "8 runs at a time (max_parallel = auto)"),
        (3, 8, "3 runs at a time (max_parallel)"),
        (0, 8, "no limit (max_parallel = 0)"),
    ],
)
def test_it_says_how_many_runs_the_machine_takes_at_a_time(limit: int | None, gpus: int, message: str) -> None:
    cards = tuple(GpuReading(index=index, uuid=f"GPU-{index}", name="Test") for index in range(gpus))
    readings = Readings(time=0.0, host=HostReading(), gpus=cards)
    (finding,) = check_parallel(MachineLimits(max_parallel=limit), readings)
    assert (finding.level, finding.message) == (Level.OK, message)
