"""Redirected output is found and read, or the run says that it cannot be."""

from __future__ import annotations

import os
import re

import pytest

from backprop_tui.domain.run import Ended
from backprop_tui.domain.status import Status
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.run_directory import read_lines
from tests.end_to_end.crashing import Crashing
from tests.support import processes
from tests.support.crashes import GUARDIAN, after, before
from tests.support.sandbox import Sandbox, Submitted, python, script, shell

TRAIN = " ".join(script("trains.py", 30, 0.1, 1))


def outputs(run: Submitted) -> list[JsonObject]:
    events = read_lines(run.directory.file("events.jsonl"))
    return [event for event in events if event["event"] == "output_elsewhere"]


def assert_read_from(run: Submitted, name: str, steps: int = 30) -> None:
    assert run.wait_for_end(seconds=40).status is Status.COMPLETED
    path = os.path.join(run.run().spec.cwd, name)
    assert [(event["path"], event["problem"]) for event in outputs(run)] == [(path, None)]
    assert [line["step"] for line in run.metrics()] == list(range(1, steps + 1))
    assert run.run().step == steps
    assert run.run().attempt.output_path == path


@pytest.mark.parametrize("redirection", ["> train.log 2>&1", ">> train.log", "> train.log 2> errors.log"])
def test_a_redirected_output_is_read(sandbox: Sandbox, redirection: str) -> None:
    assert_read_from(sandbox.submit(*shell(f"{TRAIN} {redirection}; echo over")), "train.log")


def test_files_of_one_training_after_the_other_are_read_to_their_ends(sandbox: Sandbox) -> None:
    train = " ".join(script("trains.py", 15, 0.15))
    run = sandbox.submit(*shell(f"for seed in 1 2; do {train} $seed > seed-$seed.log; done"))
    assert run.wait_for_end(seconds=40).status is Status.COMPLETED
    assert [line["step"] for line in run.metrics()] == list(range(1, 16)) * 2
    assert [os.path.basename(str(event["path"])) for event in outputs(run)] == ["seed-1.log", "seed-2.log"]


def test_files_of_trainings_side_by_side_are_not_mixed(sandbox: Sandbox) -> None:
    train = " ".join(script("trains.py", 20, 0.15))
    run = sandbox.submit(*shell(f"for seed in 1 2; do {train} $seed > seed-$seed.log & done; wait"))
    run.wait(lambda: len(outputs(run)) == 2, "both files named")
    assert re.search(r"output also goes to .*seed-[12]\.log; it is not read", str(outputs(run)[1]["message"]))
    run.wait(lambda: len(run.metrics()) >= 10, "metrics")
    assert len({line["metrics"]["seed"] for line in run.metrics()}) == 1
    run.wait_for_end()


def test_what_an_older_training_left_in_the_file_is_not_read(sandbox: Sandbox) -> None:
    old = '{"step": 900, "loss": 0.1}'
    run = sandbox.queue(*shell(f"sleep 0.5; {TRAIN} >> train.log"))
    with open(os.path.join(run.run().spec.cwd, "train.log"), "w", encoding="ascii") as file:
        file.write(f"{old}\n")
    sandbox.call()
    assert_read_from(run, "train.log")


def test_a_log_file_that_the_script_opens_itself_is_read_once_its_output_stays_silent(sandbox: Sandbox) -> None:
    code = (
        "import time\n"
        "file = open('my_run.log', 'a')\n"
        "for step in range(1, 51):\n"
        "    file.write(f'2026-01-31 09:05:07,250 INFO step {step} loss {1 / step:.4f}\\n')\n"
        "    file.flush()\n"
        "    time.sleep(0.2)\n"
    )
    assert_read_from(sandbox.submit(*python(code)), "my_run.log", steps=50)


def test_a_file_that_tee_writes_is_read_if_nothing_reaches_the_log(sandbox: Sandbox) -> None:
    command = " ".join(script("trains.py", 50, 0.2, 1))
    assert_read_from(sandbox.submit(*shell(f"{command} | tee train.log > /dev/null")), "train.log", steps=50)


def test_the_run_says_if_nothing_can_be_read(sandbox: Sandbox) -> None:
    run = sandbox.submit(*shell(f"{' '.join(script('trains.py', 1000, 0.2, 1))} > /dev/null 2>&1"), max_run_seconds=9)
    run.wait(lambda: outputs(run), "said")
    assert run.wait_for_end().status is Status.TIMEBOXED
    assert [(event["path"], event["problem"]) for event in outputs(run)] == [("/dev/null", "it is discarded")]
    assert run.run().step is None


def test_the_log_of_a_server_beside_the_training_is_not_its_output(sandbox: Sandbox) -> None:
    server = " ".join(python("\"import time; print('step 7000 loss 0.1', flush=True); time.sleep(1000)\""))
    run = sandbox.submit(*shell(f"{server} > server.log & {TRAIN}; kill $!"))
    assert run.wait_for_end(seconds=40).status is Status.COMPLETED
    assert outputs(run) == []
    assert run.run().step == 30


def test_the_cause_of_a_failure_is_found_there(sandbox: Sandbox) -> None:
    fail = "import time; time.sleep(1.5); raise RuntimeError('CUDA out of memory. Tried to allocate 2.00 GiB')"
    run = sandbox.submit(*shell(f'{" ".join(python(""))} "{fail}" > train.log 2>&1'.replace("-c ", "-c", 1)))
    end = run.wait_for_end().state
    assert isinstance(end, Ended)
    assert end.cause is not None
    assert end.cause.kind == "cuda_oom"


def test_another_guardian_continues_reading(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    crashes = [
        after("runner.own_log:OwnLogReader._follow", GUARDIAN),
        before("runner.own_log:OwnLogReader.record_position", GUARDIAN, times=12),
    ]
    crashing = Crashing(sandbox, monkeypatch, *crashes)
    run = sandbox.submit(*shell(f"{TRAIN} > train.log"))
    crashing.wait_until_all_happened()
    assert_read_from(run, "train.log")


def test_a_checkpoint_that_is_announced_there_is_recorded_once(sandbox: Sandbox) -> None:
    worker = " ".join(script("worker.py", 20, 0.5, 0))
    run = sandbox.submit(*shell(f"{worker} > train.log"))
    run.wait(lambda: "checkpoint" in run.events(), "its checkpoint")
    guardian = run.guardian()
    assert guardian is not None
    assert processes.kill(guardian)
    assert_read_from(run, "train.log", steps=20)
    assert run.events().count("checkpoint") == 1
    assert [saved.step for saved in run.run().checkpoints] == [10]
