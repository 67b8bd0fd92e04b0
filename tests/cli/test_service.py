"""`service`: the unit that continues the queue after a reboot, with a `systemctl` of the test's own."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from backprop_tui.cli.session import Session
from backprop_tui.client import service
from tests.support.commands import Commands
from tests.support.runs import Runs

_SYSTEMCTL = """#!/bin/sh
echo "$*" >> "{calls}"
case "$2" in
  enable) [ -e "{refuses}" ] && {{ echo "Failed to connect to bus" >&2; exit 1; }}; touch "{enabled}" ;;
  disable) rm -f "{enabled}" ;;
  is-enabled) [ -e "{enabled}" ] && echo enabled || {{ echo disabled; exit 1; }} ;;
  is-failed) echo inactive; exit 1 ;;
esac
"""


class Machine:
    """A machine with systemd, whose state is in files."""

    def __init__(self, folder: Path) -> None:
        self.calls, self.enabled, self.refuses = (folder / name for name in ("calls", "enabled", "refuses"))
        self.runtime, self.linger = folder / "runtime", folder / "linger"
        self.runtime.mkdir()
        self.linger.mkdir()
        programs = folder / "programs"
        programs.mkdir()
        for name in ("systemctl", "systemd-run"):
            (programs / name).write_text(_SYSTEMCTL.format(**vars(self)))
            (programs / name).chmod(0o755)
        self.programs = str(programs)
        self.unit = folder / "config/systemd/user/backprop-tui.service"

    def lingers(self) -> None:
        (self.linger / getpass.getuser()).touch()

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines()


def test_a_relative_folder_for_settings_is_ignored(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert service.unit_path() == str(home / ".config/systemd/user/backprop-tui.service")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(service, "SYSTEMD_RUNTIME", str(made.runtime))
    monkeypatch.setattr(service, "LINGER_FOLDER", str(made.linger))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", f"{made.programs}:{os.environ['PATH']}")
    return made


def test_install_writes_and_enables_the_unit(obey: Commands, session: Session, machine: Machine) -> None:
    machine.lingers()
    result = obey("service", "install")
    assert (result.code, result.err) == (0, "")
    assert machine.called()[:2] == ["--user daemon-reload", f"--user enable {machine.unit}"]
    text = machine.unit.read_text()
    start = service.start_command(session)
    assert os.path.isabs(start[0])
    scope = f"ExecStart={machine.programs}/systemd-run --user --scope --collect --quiet -- "
    assert f"{scope}{' '.join(start)}\n" in text
    assert f"Environment=BACKPROP_HOME={session.home.root}\n" in text
    assert f"ConditionPathExists={machine.linger}/%u\n" in text
    assert "KillMode=process\n" in text
    assert obey("service", "status").code == 0


def test_words_of_the_unit_are_quoted(
    obey: Commands, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.lingers()
    monkeypatch.setenv("BACKPROP_HOME", str(tmp_path / 'a "b" 50%$'))
    assert obey("service", "install", "--config", str(tmp_path / "my $config.toml")).code == 0
    text = machine.unit.read_text()
    assert f'Environment="BACKPROP_HOME={tmp_path}/a \\"b\\" 50%%$"\n' in text
    assert f'--config "{tmp_path}/my $$config.toml" service start\n' in text


def test_without_linger_the_command_that_enables_it_is_named(obey: Commands, machine: Machine) -> None:
    result = obey("service", "install")
    assert result.code == 1
    assert f"loginctl enable-linger {getpass.getuser()}" in result.out
    checks = {check["check"]: check["level"] for check in obey("--json", "service", "status").json["checks"]}
    assert checks == {"unit": "ok", "enabled": "ok", "linger": "bad"}


def test_status_names_what_is_missing(
    obey: Commands, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.lingers()
    result = obey("service", "status")
    assert (result.code, "not installed" in result.out) == (1, True)
    obey("service", "install")
    machine.enabled.unlink()
    assert "it does not start at boot" in obey("service", "status").out
    obey("service", "install")
    monkeypatch.setenv("BACKPROP_HOME", str(tmp_path / "another"))
    result = obey("service", "status")
    assert (result.code, "that of another installation or other settings" in result.out) == (1, True)


def test_uninstall_leaves_nothing(obey: Commands, machine: Machine) -> None:
    obey("service", "install")
    result = obey("service", "uninstall")
    assert (result.code, result.out) == (0, f"removed {machine.unit}; runs continue\n")
    assert not machine.unit.exists()
    assert machine.called()[-2:] == ["--user disable backprop-tui.service", "--user daemon-reload"]
    assert obey("service", "uninstall").out == f"not installed: there is no {machine.unit}\n"


def test_a_refusal_of_systemctl_is_passed_on(obey: Commands, machine: Machine) -> None:
    machine.refuses.touch()
    result = obey("service", "install")
    assert result.code == 69
    assert f"systemctl --user enable {machine.unit}: Failed to connect to bus; log in as this user" in result.err


def test_without_systemd_there_is_a_line_for_cron(
    obey: Commands, session: Session, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SYSTEMD_RUNTIME", str(tmp_path / "nowhere"))
    monkeypatch.setenv("BACKPROP_HOST", "100%")
    for action in ("install", "status"):
        result = obey("service", action)
        assert result.code == 69
        assert "there is no systemd on this machine" in result.err
        first, container, text, scheduled = result.err.splitlines()
        assert first.endswith("; run this at the start of a container:")
        assert container.startswith(f"  env BACKPROP_HOME={session.home.root} BACKPROP_HOST=100% ")
        assert text == "elsewhere add this line with crontab -e:"
        assert scheduled == "  @reboot " + container.strip().replace("%", "\\%")
        assert scheduled.endswith(" service start")
    assert not machine.unit.exists()


def test_a_dry_run_shows_the_unit_and_changes_nothing(obey: Commands, machine: Machine) -> None:
    result = obey("--dry-run", "service", "install")
    assert result.lines[:2] == [f"# {machine.unit}", "[Unit]"]
    assert not machine.unit.exists()
    assert not machine.calls.exists()


def test_start_wakes_the_supervisor_only_if_runs_are_unfinished(obey: Commands, runs: Runs) -> None:
    assert obey("service", "start").out == "no run is unfinished: there is nothing to start\n"
    runs.queued("a")
    assert obey("service", "start").out == "supervisor started or woken: 1 run unfinished\n"
    assert obey("--json", "service", "start").json == {"unfinished": 1}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_accepts_the_unit(
    obey: Commands, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    obey("service", "install")
    command = ["systemd-analyze", "verify", "--user", str(machine.unit)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    about_it = [line for line in checked.stderr.splitlines() if machine.unit.name in line]
    assert (checked.returncode, about_it) == (0, [])
