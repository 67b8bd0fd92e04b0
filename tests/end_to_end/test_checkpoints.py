"""Checkpoints that a script writes without announcing them: found by the guardian, and resumed from."""

from __future__ import annotations

import os
import time
import zipfile
from typing import Any

from backprop_tui.domain.run import Ended, StopPlan
from backprop_tui.domain.status import Status
from tests.support import processes
from tests.support.sandbox import Sandbox, Submitted, python, script
from tests.support.waiting import wait_until

QUICK = StopPlan(grace_seconds=0.5)


def steps(submitted: Submitted) -> list[int | None]:
    return [checkpoint.step for checkpoint in submitted.run().checkpoints]


def live_steps(submitted: Submitted) -> list[int | None]:
    live = submitted.live()
    return [] if live is None else [checkpoint.step for checkpoint in live.checkpoints]


def test_checkpoints_that_are_not_announced_are_recorded_with_step_size_and_soundness(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("saves.py", 6, 0.02, 2))
    assert run.wait_for_end().status is Status.COMPLETED
    assert steps(run) == [2, 4, 6]
    assert all(saved.sound and (saved.size_bytes or 0) > 1000 for saved in run.run().checkpoints)
    assert run.events().count("checkpoint") == 3


def test_checkpoints_are_recorded_during_the_run(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("saves.py", 1000, 0.1, 2))
    run.wait(lambda: len(live_steps(run)) >= 2, "two checkpoints in the live record")
    live = run.live()
    assert live is not None
    assert live.pace is not None
    assert live.pace.every_seconds is not None


def test_checkpoints_that_the_script_deletes_leave_the_record(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("saves.py", 12, 0.02, 2, 2))
    run.wait_for_end()
    assert steps(run) == [10, 12]


def test_a_checkpoint_cut_short_by_the_end_is_reported_and_not_used(sandbox: Sandbox) -> None:
    slow = dict(os.environ) | {"SAVES_SECONDS": "60"}
    run = sandbox.submit(*script("saves.py", 4, 0.02, 2))
    run.wait_for_end()
    torn = sandbox.submit(
        *script("saves.py", 1000, 0.02, 1), environment=slow, max_run_seconds=1.5, stop=QUICK, cwd=run.run().spec.cwd
    )
    end = torn.wait_for_end()
    assert end.status is Status.TIMEBOXED
    assert [(saved.step, saved.sound) for saved in end.checkpoints][-1] == (1, False)
    assert "torn_checkpoint" in torn.events()


def test_two_runs_in_one_directory_do_not_record_each_others_checkpoints(sandbox: Sandbox) -> None:
    shared = os.path.join(sandbox.folder, "shared")
    os.makedirs(shared)
    runs = [
        sandbox.submit(
            *script("saves.py", 1000, 0.05, 5),
            environment=dict(os.environ) | {"SAVES_INTO": name},
            cwd=shared,
            checkpoint_globs=(f"{name}/checkpoint-*",) if name == "first" else (),
        )
        for name in ("first", "second")
    ]
    runs[0].wait(lambda: len(live_steps(runs[0])) >= 2, "checkpoints of the run with a named directory")
    runs[1].wait_until_it_reports("saved 20")
    for run in runs:
        named = run.script()
        assert named is not None
        assert processes.kill(named)
        run.wait_for_end()
    first, second = (run.run().checkpoints for run in runs)
    assert first
    assert all("/first/" in saved.path for saved in first)
    assert all("/second/" in saved.path for saved in second)


def test_a_guardian_that_dies_loses_no_checkpoint(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("saves.py", 60, 0.1, 10))
    run.wait_until_it_reports("saved 20")
    guardian = wait_until(run.guardian, "its guardian")
    assert processes.kill(guardian)
    run.wait_for_end()
    assert steps(run) == [10, 20, 30, 40, 50, 60]
    assert run.events().count("checkpoint") <= 8


SHORT: dict[str, Any] = {"max_run_seconds": 2.0, "total_seconds": 4.0, "stop": QUICK}


def parts(*names: str, seconds: float = 0.5) -> tuple[str, ...]:
    return script("saves_parts.py", seconds, *names)


def test_a_slice_goes_on_from_the_model_and_not_from_what_is_saved_after_it(sandbox: Sandbox) -> None:
    run = sandbox.submit(*parts("model_{}.pt", "optimizer_{}.pt", "ema_{}.pt"), **SHORT)
    run.wait(lambda: len(run.run().attempts) > 1, "its second slice")
    resumed_from = run.run().attempts[1].resumed_from
    assert resumed_from is not None
    assert os.path.basename(resumed_from).startswith("model_")


def test_a_slice_that_cannot_know_what_to_go_on_from_ends_with_that_advice(sandbox: Sandbox) -> None:
    run = sandbox.submit(*parts("encoder_{}.pt", "decoder_{}.pt"), **SHORT)
    end = run.wait_for_end()
    state = end.state
    assert isinstance(state, Ended)
    assert (state.status, len(end.attempts)) == (Status.TIMEBOXED, 1)
    assert "it is unknown which one to resume from; choose with resume --resume-from PATH" in (state.reason or "")
    asked = end.checkpoints[-1]
    assert sorted(os.path.basename(path)[:7] for path in asked.candidates) == ["decoder", "encoder"]


def test_a_checkpoint_that_is_overwritten_every_half_second_is_recorded_while_the_run_lasts(sandbox: Sandbox) -> None:
    run = sandbox.submit(*parts("last.pt", seconds=0.45))
    run.wait(lambda: bool(live_steps(run)), "a checkpoint in the live record")
    assert processes.kill(wait_until(run.script, "its script"))
    assert [saved.sound for saved in run.wait_for_end().checkpoints] == [True]


def test_a_file_that_was_announced_and_not_written_is_of_another_training(sandbox: Sandbox) -> None:
    folder = os.path.join(sandbox.folder, "used")
    os.makedirs(os.path.join(folder, "out"))
    path = os.path.join(folder, "out", "last.pt")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("of", "another training")
    os.utime(path, (time.time() - 7 * 86_400,) * 2)
    code = "print('step 20 loss 0.1'); print('Saving checkpoint to out/last.pt', flush=True); raise SystemExit(1)"
    run = sandbox.submit(*python(code), cwd=folder)
    assert run.wait_for_end().checkpoints == ()
    assert "checkpoint" not in run.events()


def test_a_script_that_changes_its_directory_is_followed(sandbox: Sandbox) -> None:
    elsewhere = os.path.join(sandbox.folder, "elsewhere")
    code = (
        f"import os, time; os.makedirs({elsewhere!r}); os.chdir({elsewhere!r}); time.sleep(1)\n"
        "open('state.any', 'wb').write(b'x' * 10); print('Saved checkpoint to state.any', flush=True); time.sleep(1)"
    )
    run = sandbox.submit(*python(code))
    saved = run.wait_for_end().checkpoints
    assert [(checkpoint.path, checkpoint.written) for checkpoint in saved] == [(f"{elsewhere}/state.any", True)]


def test_runs_that_start_together_in_one_directory_each_get_their_second_slice(sandbox: Sandbox) -> None:
    sandbox.allow(2)
    shared = os.path.join(sandbox.folder, "shared")
    os.makedirs(shared)
    code = (
        "import os, sys, time\n"
        "number = 0\n"
        "while True:\n"
        "    try: os.makedirs(f'logs/version_{number}/checkpoints'); break\n"
        "    except FileExistsError: number += 1\n"
        "for step in range(1, 1000):\n"
        "    with open(f'logs/version_{number}/checkpoints/{sys.argv[1]}-step={step}.ckpt', 'wb') as file:\n"
        "        file.write(b'x' * 100_000); file.flush(); time.sleep(0.05)\n"
        "    time.sleep(0.5)\n"
    )
    limits: dict[str, Any] = {"max_run_seconds": 4.0, "total_seconds": 7.0, "stop": QUICK}
    runs = [sandbox.queue(*python(code), name, cwd=shared, **limits) for name in ("first", "second")]
    sandbox.call()
    for run, name in zip(runs, ("first", "second"), strict=True):
        end = run.wait_for_end()
        assert len(end.attempts) == 2, end.state
        assert end.checkpoints
        assert all(os.path.basename(saved.path).startswith(name) for saved in end.checkpoints)


def test_a_short_run_says_too_why_its_checkpoints_are_not_known(sandbox: Sandbox) -> None:
    sandbox.allow(2)
    shared = os.path.join(sandbox.folder, "shared")
    os.makedirs(shared)
    code = (
        "import pathlib, sys, time\n"
        "for step in range(1, 9):\n"
        "    time.sleep(0.25)\n"
        "    if step % 4 == 0: pathlib.Path(f'{sys.argv[1]}_step{step}.ckpt').write_bytes(b'\\x80\\x02}.')\n"
    )
    runs = [sandbox.queue(*python(code), name, cwd=shared) for name in ("first", "second")]
    sandbox.call()
    for run in runs:
        assert run.wait_for_end().checkpoints or "directory_shared" in run.events()


def test_a_checkpoint_that_two_runs_wrote_in_turn_is_of_one_of_them_at_most(sandbox: Sandbox) -> None:
    sandbox.allow(2)
    shared = os.path.join(sandbox.folder, "shared")
    os.makedirs(shared)
    code = (
        "import os, sys, time\n"
        "os.makedirs(sys.argv[2], exist_ok=True)\n"
        "for step in range(1, 7):\n"
        "    time.sleep(0.25)\n"
        "    print(f'step {step}/6 loss 1.0', flush=True)\n"
        "    if step == 5: open(sys.argv[2] + '/step-5.ckpt', 'wb').write(b'\\x80\\x02}.' + bytes(20_000))\n"
    )
    runs = [sandbox.queue(*python(code), "--ckpt-dir", "ck", cwd=shared) for _ in range(2)]
    sandbox.call()
    ends = [run.wait_for_end() for run in runs]
    owners = [end.id for end in ends if any(saved.is_usable for saved in end.checkpoints)]
    assert len(owners) <= 1, ends
    for end in ends:
        assert end.id in owners or end.shared_directory is not None, end
