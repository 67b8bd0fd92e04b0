"""The commands as processes, with a real supervisor, real guardians and real scripts."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from backprop_tui.domain.status import Status
from backprop_tui.processes.identity import Identity, is_alive
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from tests.support.commands import ALL_RAM
from tests.support.processes import kill_processes_of_store
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
TICKING = "import time\nfor step in range(10000):\n    print(step, flush=True)\n    time.sleep(0.01)\n"
STEPPING = 'import json, sys\nprint(json.dumps({"step": 1, "loss": 0.5}))\nsys.stdout.write("no end")\n'


class Terminal:
    """A place to type commands."""

    def __init__(self, home: Path) -> None:
        self.place = home / "work"
        self.place.mkdir()
        self.home = Home(str(home / "backprop"), os.uname().nodename)
        config = home / "config/backprop/config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(
            "max_parallel = 3\nmin_free_ram_gb = 0\n"
            "[governor]\nstarts_per_minute = 0\nmax_load_per_core = 0\nmin_free_disk_gb = 0\n[gpu]\nprobe = 'none'\n"
        )
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def script(self, name: str, content: str) -> str:
        (self.place / name).write_text(content)
        return name

    def start(self, *words: str, **settings: int) -> subprocess.Popen[bytes]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | settings
        return subprocess.Popen(self.command(*words), cwd=self.place, env=self.environment, **pipes)  # type: ignore[call-overload,no-any-return]

    def command(self, *words: str) -> list[str]:
        typed = [sys.executable, "-m", "backprop_tui", *words]
        return [*typed[:4], "--python", sys.executable, *typed[4:]] if "train.py" in words else typed

    def type(self, *words: str) -> tuple[int, bytes, str]:
        """Exit code, stdout, stderr."""
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err.decode()

    def run_id(self) -> str:
        """The only run there is, once there is one."""
        return wait_until(lambda: next(iter(self._ids()), None), "a run")

    def _ids(self) -> list[str]:
        try:
            return [name for name in os.listdir(self.home.runs) if not name.startswith(".")]
        except FileNotFoundError:
            return []

    def directory(self) -> RunDirectory:
        return RunDirectory(self.home.run_folder(self.run_id()))

    def wait_for_output(self, content: bytes) -> None:
        log = Path(self.directory().log)
        wait_until(lambda: log.exists() and content in log.read_bytes(), f"{content!r} in the log")

    def script_lives(self) -> bool:
        named = self.directory().script_identity()
        return named is not None and is_alive(Identity(named[1], named[2]))


@pytest.fixture
def terminal(home: Path) -> Iterator[Terminal]:
    made = Terminal(home)
    yield made
    kill_processes_of_store(str(home))


def test_a_script_is_run_to_its_end_with_its_arguments_and_its_code(terminal: Terminal) -> None:
    terminal.script("train.py", "import sys\nsys.stdout.write('|'.join(sys.argv[1:]))\nsys.exit(7)")
    code, out, err = terminal.type("run", "train.py", "--", "--lr", "3 4")
    assert (code, out) == (7, b"--lr|3 4")
    assert "failed with exit code 7" in err


def test_the_script_gets_directory_environment_and_umask_of_the_shell(terminal: Terminal) -> None:
    terminal.environment["GIVEN"] = "by the shell"
    code = "import os; print(os.getcwd(), os.environ['GIVEN'], os.environ['ADDED'], oct(os.umask(0)))"
    terminal.script("train.py", code)
    words = terminal.command("run", "train.py", "--env", "ADDED=by us")
    result = subprocess.run(
        ["sh", "-c", 'umask 027; exec "$@"', "sh", *words],
        cwd=terminal.place,
        env=terminal.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert result.stdout == f"{terminal.place} by the shell by us 0o27\n"


def test_events_are_json_objects_one_a_line(terminal: Terminal) -> None:
    terminal.script("train.py", STEPPING)
    code, out, _ = terminal.type("run", "train.py", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [event["event"] for event in events] == ["queued", "started", "progress", "ended"]
    assert (events[-1]["run"]["status"], events[-1]["run"]["step"]) == ("completed", 1)


def test_a_timeboxed_script_exits_with_0(terminal: Terminal) -> None:
    terminal.script("train.py", TICKING)
    code, _, err = terminal.type("run", "train.py", "-m", "0.01")
    assert code == 0
    assert "timeboxed" in err


def test_ctrl_c_lets_the_script_save_and_twice_kills_it(terminal: Terminal) -> None:
    waiting = "import time\ntry:\n    print('ready', flush=True)\n    time.sleep(60)\n"
    terminal.script("train.py", f"{waiting}except KeyboardInterrupt:\n    print('saved')\n")
    process = terminal.start("run", "train.py")
    terminal.wait_for_output(b"ready")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"ready\nsaved\n")
    assert b"stopped by Ctrl-C" in err


def test_a_second_ctrl_c_kills_a_script_that_does_not_listen(terminal: Terminal) -> None:
    terminal.script("train.py", f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{TICKING}")
    process = terminal.start("run", "train.py")
    terminal.wait_for_output(b"5\n")
    process.send_signal(signal.SIGINT)
    wait_until(lambda: (live := terminal.directory().read_live()) is not None and live.stopping, "stopping")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert terminal.directory().read().attempt.signal == "SIGKILL"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL, signal.SIGTERM])
def test_a_command_that_is_killed_leaves_the_run_running(terminal: Terminal, number: signal.Signals) -> None:
    terminal.script("train.py", TICKING)
    process = terminal.start("run", "train.py")
    terminal.wait_for_output(b"5\n")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == -number
    terminal.wait_for_output(b"50\n")
    assert terminal.script_lives()


def test_a_terminal_that_is_closed_leaves_the_run_running(terminal: Terminal) -> None:
    terminal.script("train.py", TICKING)
    pid, screen = pty.fork()
    if pid == 0:
        os.chdir(terminal.place)
        command = terminal.command("run", "train.py", "--no-ui")
        os.execvpe(command[0], command, terminal.environment)
    terminal.wait_for_output(b"5\n")
    os.close(screen)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 141
    terminal.wait_for_output(b"80\n")
    assert terminal.script_lives()


def test_a_reader_that_closes_the_pipe_leaves_the_run_running(terminal: Terminal) -> None:
    terminal.script("train.py", TICKING)
    process = terminal.start("run", "train.py")
    assert process.stdout is not None
    assert process.stdout.readline() == b"0\n"
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    assert terminal.script_lives()


def test_a_run_is_resumed_from_its_checkpoint_and_followed_from_there(terminal: Terminal) -> None:
    code = (
        "import argparse, json, os, sys\n"
        "parser = argparse.ArgumentParser()\nparser.add_argument('--resume-from')\n"
        "found = parser.parse_args().resume_from\n"
        "print('from', found and os.path.basename(found))\n"
        "open('c.json', 'w').write('{}')\n"
        "print(json.dumps({'event': 'checkpoint_saved', 'path': 'c.json'}))\n"
        "sys.exit(0 if found else 3)\n"
    )
    terminal.script("train.py", code)
    assert terminal.type("run", "train.py", "-n", "mine")[0] == 3
    exit_code, out, _ = terminal.type("resume", "mine")
    assert exit_code == 0
    assert out.startswith(b"from c.json\n")
    assert len(terminal.directory().read().attempts) == 2
    assert terminal.type("resume", "mine", "--json", "-d")[0] == 0


def test_slices_of_a_module_go_on_by_an_option_that_it_imports(terminal: Terminal) -> None:
    (terminal.place / "pkg").mkdir()
    terminal.script(
        "pkg/opts.py",
        "import argparse\ndef get():\n    p = argparse.ArgumentParser()\n    p.add_argument('--resume')\n"
        "    return p.parse_args()\n",
    )
    terminal.script(
        "pkg/train.py",
        "import json, sys, time\nfrom pkg.opts import get\npath = get().resume\n"
        "print('from', path and open(path).read(), flush=True)\n"
        "step = 0\n"
        "while path is None:\n"
        "    step += 1\n"
        "    with open('c.json', 'w') as file:\n        file.write('saved')\n"
        "    print(json.dumps({'event': 'checkpoint_saved', 'path': 'c.json', 'step': step}), flush=True)\n"
        "    time.sleep(0.1)\n",
    )
    words = ("-m", "0.05", "--total-minutes", "9", "--stop-signal", "TERM", "--grace-seconds", "2")
    code, out, err = terminal.type("run", *words, sys.executable, "-m", "pkg.train")
    starts = [line for line in out.splitlines() if line.startswith(b"from")]
    assert (code, starts) == (0, [b"from None", b"from saved"])
    assert "understood as: backprop-tui run" in err
    assert "BACKPROP_RESUME_FROM only" not in err
    record = terminal.directory().read()
    assert (record.name, record.spec.found_resume_arg) == ("train", "--resume {path}")


def test_one_key_makes_one_run_however_many_submit_at_once(terminal: Terminal) -> None:
    processes = [terminal.start("run", "-d", "--key", "same", "--", "true") for _ in range(6)]
    printed = {process.communicate(timeout=60)[0] for process in processes}
    assert len(printed) == 1
    assert [process.returncode for process in processes] == [0] * 6
    assert printed == {terminal.run_id().encode() + b"\n"}


def test_a_held_run_with_no_wait_exits_with_75_and_leaves_no_record(terminal: Terminal) -> None:
    terminal.script("train.py", TICKING)
    terminal.type("run", "-d", "train.py")
    terminal.wait_for_output(b"1\n")
    code, out, err = terminal.type("run", "--no-wait", "-p", "1", "train.py")
    assert (code, out) == (75, b"")
    assert "1 run active (max_parallel 1 of this run)" in err
    assert os.listdir(terminal.home.runs) == os.listdir(terminal.home.active) == [terminal.run_id()]


def test_a_sweep_runs_every_point_and_gives_the_first_failure(terminal: Terminal) -> None:
    terminal.script("train.py", "import sys\nprint(sys.argv[1:])\nsys.exit(int(sys.argv[-1]) * 4)")
    code, out, _ = terminal.type("run", "train.py", "--sweep", "x=0..1")
    assert code == 4
    assert sorted(out.splitlines()) == [b"train x=0 | ['--x', '0']", b"train x=1 | ['--x', '1']"]


def test_somebody_else_may_watch_and_wait(terminal: Terminal) -> None:
    terminal.script("train.py", "import time\nprint('begin', flush=True)\ntime.sleep(0.5)\nprint('end')\n")
    code, out, _ = terminal.type("run", "-d", "train.py")
    assert code == 0
    watcher = terminal.start("logs", "-f", out.decode().strip())
    assert terminal.type("wait", "@last")[0] == 0
    assert watcher.communicate(timeout=60)[0] == b"begin\nend\n"


def test_a_script_that_changed_since_it_was_queued_is_reported(terminal: Terminal) -> None:
    terminal.script("train.py", "print('as queued')")
    terminal.type("queue", "hold")
    terminal.type("run", "-d", "-n", "edited", "train.py")
    terminal.script("train.py", "print('as edited')")
    terminal.type("run", "-d", "-n", "fresh", "train.py")
    terminal.type("queue", "release")
    assert terminal.type("wait", "edited", "fresh")[0] == 0
    assert terminal.type("logs", "edited")[1] == b"as edited\n"
    _, sheet, _ = terminal.type("status", "edited")
    assert b"warning     train.py changed since it was queued\n" in sheet
    result = {run["name"]: run["attempts"][0]["code_changes"] for run in json.loads(terminal.type("list", "--json")[1])}
    assert result == {"edited": "train.py changed since it was queued", "fresh": None}
    run_id = json.loads(terminal.type("status", "edited", "--json")[1])["id"]
    events = Path(terminal.home.run_folder(run_id), "events.jsonl").read_text()
    assert "script_changed" in events
    assert terminal.type("resume", "-d", "edited")[0] == 0
    assert terminal.type("wait", "edited")[0] == 0
    assert json.loads(terminal.type("status", "edited", "--json")[1])["attempts"][1]["code_changes"] is None


def test_a_run_is_stopped_in_the_queue_by_ctrl_c(terminal: Terminal) -> None:
    process = terminal.start("run", "--min-free-ram", ALL_RAM, "--", "true")
    run_id = terminal.run_id()
    assert process.stderr is not None
    while b"waits: RAM" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"taking 1 run out of the queue" in err
    assert RunDirectory(terminal.home.run_folder(run_id)).read().status is Status.STOPPED


_REWARDED = """
import argparse, json
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int)
seed = parser.parse_args().seed
for step in range(0, 5000, 1000):
    print(json.dumps({"step": step, "ep_rew_mean": step / 1000 * seed, "score": seed - step / 1000}), flush=True)
"""
_NOISY = """
import argparse, json
parser = argparse.ArgumentParser()
parser.add_argument("--level", type=float)
level = parser.parse_args().level
for step in range(300):
    lucky = level == 0.5 and step == 150
    print(json.dumps({"step": step, "loss": 0.001 if lucky else level + 0.1 * (step % 7 - 3)}), flush=True)
"""


def _run_group(terminal: Terminal, content: str, *words: str) -> None:
    terminal.script("train.py", content)
    assert terminal.type("run", "train.py", "-d", "--group", "g", *words)[0] == 0
    assert terminal.type("wait", "g")[0] == 0


def _json(terminal: Terminal, *words: str) -> dict[str, Any]:
    code, out, err = terminal.type("--json", *words)
    assert code == 0, err
    return cast("dict[str, Any]", json.loads(out))


def test_the_run_with_the_most_reward_is_the_best(terminal: Terminal) -> None:
    _run_group(terminal, _REWARDED, "--sweep", "seed=1..3")
    shown = terminal.type("show", "g")[1].decode().splitlines()
    assert shown[0] == "best first by ep_rew_mean, higher is better"
    assert [line.split()[4:6] for line in shown[2:5]] == [[f"seed={n}", f"{4.0 * n:#.4g}"] for n in (3, 2, 1)]
    best = _json(terminal, "status", "g@best")
    assert best["name"] == "train:seed=3"
    expected = {"metric": "ep_rew_mean", "direction": "max", "best": 12.0, "best_step": 4000, "last": 12.0}
    assert best["objective"] == {**expected, "source": "training"}
    assert b"best        ep_rew_mean 12.00 at step 4,000, higher is better" in terminal.type("status", "g@best")[1]


def test_an_objective_that_is_given_decides(terminal: Terminal) -> None:
    assert "use score:min or score:max" in terminal.type("run", "train.py", "--objective", "score")[2]
    _run_group(terminal, _REWARDED, "--sweep", "seed=1..2", "--objective", "score:min")
    best = _json(terminal, "status", "g@best")
    expected = {"metric": "score", "direction": "min", "best": -3.0, "best_step": 4000, "last": -3.0}
    assert (best["name"], best["objective"]) == ("train:seed=1", {**expected, "source": "option"})


def test_the_setting_is_used_and_a_metric_that_is_never_printed_is_reported(terminal: Terminal) -> None:
    (terminal.place / "backprop.toml").write_text('[run]\nobjective = "val_loss"\n')
    _run_group(terminal, _REWARDED, "--sweep", "seed=1..2")
    assert "no run has a value of val_loss yet" in terminal.type("status", "g@best")[2]
    run = json.loads(terminal.type("--json", "list")[1])[0]
    assert (run["objective"]["source"], run["objective"]["best"]) == ("setting", None)
    assert b"val_loss was not printed yet, only ep_rew_mean, score" in terminal.type("status", run["id"])[1]


def test_a_lucky_minibatch_is_not_the_best(terminal: Terminal) -> None:
    _run_group(terminal, _NOISY, "--sweep", "level=0.5,0.45")
    best = _json(terminal, "status", "g@best")
    assert best["name"] == "train:level=0.45"
    assert 0.3 < best["objective"]["best"] < 0.5


INTERRUPTED_WHILE_IMPORTING = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == moment:
            os.kill(os.getpid(), signal.SIGINT)

from backprop_tui.main import program

moment = sys.argv.pop(1)
sys.meta_path.insert(0, Interrupting())
program()
"""


@pytest.mark.parametrize("module", ["backprop_tui.cli.invocation", "backprop_tui.cli.parser", "backprop_tui.client"])
def test_ctrl_c_while_the_program_loads_leaves_no_traceback(terminal: Terminal, module: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_IMPORTING, module, "list", "--json"],
        cwd=terminal.place,
        env=terminal.environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (process.returncode, process.stderr) == (130, b"")
    assert json.loads(process.stdout)["error"]["kind"] == "interrupted"
