"""What the JSON of a run says about its Slurm job."""

from __future__ import annotations

import json
import os
from dataclasses import replace

from backprop_tui.domain.lifecycle import begin_attempt
from backprop_tui.domain.requests import TimeboxRequest
from backprop_tui.domain.run import SLURM, Queued
from backprop_tui.store.files import dump, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.store.records import public, with_holds
from backprop_tui.store.run_view import read_view
from tests.store.test_json_documentation import WORDS, keys_in
from tests.store.test_records import full_run
from tests.support.runs import Runs
from tests.support.slurm import hold, job
from tests.tui.snapshots import stored

START = 1_800_003_600.0


def test_a_local_run_has_no_job() -> None:
    assert public(full_run(), "/r")["slurm"] is None


def test_a_waiting_job_says_why_and_when() -> None:
    record = public(stored("a", job=job()), "/r", holds=[hold(start=START)])
    expected = {"job_id": "12", "node": None, "reason": "Resources", "estimated_start": "2027-01-15T09:00:00.000Z"}
    assert record["slurm"] == expected
    assert set(keys_in(record["slurm"])) - WORDS == set()


def test_a_job_that_runs_has_a_node_and_the_gpus_of_slurm() -> None:
    run = begin_attempt(stored("a", job=job()), now=1.0, boot_id="b", variables={"SLURM_JOB_GPUS": "0,3"})
    record = public(replace(run, host="n1"), "/r")
    assert (record["host"], record["slurm"]["node"]) == ("n1", "n1")
    assert record["gpus"] == [{"index": 0, "uuid": None}, {"index": 3, "uuid": None}]


def test_a_run_that_waits_again_belongs_to_the_machine_that_submits_it(tmp_path: object) -> None:
    run = begin_attempt(stored("a", job=job(host="login")), now=1.0, boot_id="b")
    again = replace(run, host="n1", state=Queued(since=2.0))
    record = public(again, "/r")
    assert (record["host"], record["slurm"]["node"]) == ("login", "n1")
    submitted = replace(again, job=job(13, attempt=2, host="login"))
    assert public(submitted, "/r")["slurm"]["node"] is None


def test_other_reasons_need_no_other_record() -> None:
    run = stored("a", job=job())
    record = with_holds(public(run, "/r", holds=[hold()]), run, [hold("Priority", "behind others")])
    assert record == public(run, "/r", holds=[hold("Priority", "behind others")])


def test_the_reasons_are_found_where_the_job_was_submitted(home: object) -> None:
    store = Home(f"{home}/backprop", "here")
    store.prepare()
    login = Home(store.root, "login")
    login.prepare()
    Runs(store).queued("a", spec={"launcher": SLURM}, host="n1", job=job(host="login"))
    write_atomically(login.governor, dump({"held": {"a": [hold()]}, "pid": os.getpid()}), durable=False)
    assert read_view(store, "a").record["slurm"]["reason"] == "Resources"


def test_an_edit_that_the_job_will_make_is_shown_at_once(home: object) -> None:
    store = Home(f"{home}/backprop", "here")
    store.prepare()
    directory = Runs(store).queued("a", spec={"launcher": SLURM}, job=job(host="here"))
    directory.append_request(TimeboxRequest(max_run_seconds=120.0))
    assert read_view(store, "a").record["max_run_minutes"] == 2.0
    with open(directory.record_path, encoding="utf-8") as file:
        assert json.load(file)["max_run_minutes"] == 10.0
