"""Slurm runs, and runs of other machines, beside local ones in the dashboard."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from backprop_tui.domain.run import SLURM, Gpu
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.remedies import RemedyKind, how_to_change
from backprop_tui.store.records import public
from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.layout import MachineForm
from backprop_tui.tui.lines import text_of, width_of
from backprop_tui.tui.panes.gauges import machine_view
from backprop_tui.tui.panes.machine import draw_machine
from backprop_tui.tui.panes.run_list import RunListOptions, run_list_view
from backprop_tui.tui.panes.run_table import draw_run, run_columns
from backprop_tui.tui.panes.selected_run import selected_run_view
from backprop_tui.tui.panes.waiting import waiting_view
from backprop_tui.tui.snapshot import Node
from tests.support.slurm import hold, job
from tests.tui.snapshots import HOST, NOW, gb, gpu, queued, running, sample, snapshot

OF_SLURM: dict[str, Any] = {"spec": {"launcher": SLURM}, "job": job(host=HOST)}


def on_node(run_id: str, node: str = "n1", *indices: int) -> KnownRun:
    """A run of this machine's user on a node."""
    known = running(run_id, **OF_SLURM)
    assert known.run is not None
    gpus = tuple(Gpu(index=index, uuid=f"GPU-{index}") for index in indices)
    run = replace(known.run.with_attempt(replace(known.run.attempt, gpus=gpus)), host=node)
    return replace(known, run=run, record=public(run, "/r", live=known.live))


def submitted(reason: str = "Resources", words: str = "for free nodes", start: float | None = None) -> KnownRun:
    return queued("w", queue_position=None, holds=(hold(reason, words, start),), **OF_SLURM)


def rows(*runs: KnownRun, width: int = 120) -> list[str]:
    view = run_list_view(snapshot(*runs), RunListOptions())
    columns = run_columns(width, view.hidden, view.gpu_cells)
    drawn = [draw_run(row, columns, UNICODE, cursor=False) for row in view.rows]
    assert all(width_of(line) <= width for line in drawn)
    return [text_of(line) for line in drawn]


def test_the_gpu_column_says_node_and_gpu_of_runs_elsewhere() -> None:
    local, single, several, without = rows(
        running("a"), on_node("b", "n1", 0), on_node("c", "n2", 0, 1, 2, 3), on_node("d")
    )
    assert " 0 " in local
    assert ":" not in local.split()[3]
    assert " n1:0 " in single
    assert " n2:0-3 " in several
    assert " n1 " in without


def test_long_names_of_nodes_keep_their_end_and_take_room_from_the_names_of_runs() -> None:
    for width in (80, 120):
        (row,) = rows(on_node("a" * 40, "gpu-node-rack7-017.cluster.example.org", 0), width=width)
        assert re.search(r" …\S*-017:0 ", row)


def test_local_runs_alone_look_as_ever() -> None:
    view = run_list_view(snapshot(running("a"), queued("b")), RunListOptions())
    assert run_columns(80, view.hidden, view.gpu_cells) == run_columns(80)


def test_the_pane_of_a_run_says_where_it_is() -> None:
    known = on_node("a", "n1", 0)
    view = selected_run_view(snapshot(known), "a")
    assert view is not None
    assert "on n1, GPU 0" in view.heading.facts
    sections = {section.title: dict(section.lines) for section in view.sections}
    assert sections["Slurm"]["job"] == "12 on n1"


def test_a_waiting_job_is_one_check_with_slurms_estimate() -> None:
    known = submitted(start=NOW.wall + 3600)
    view = waiting_view(known, snapshot(known, sample=sample(gpu(0))))
    assert view is not None
    (row,) = view.rows  # what this machine has says nothing about the cluster
    assert (row.name, row.now, row.remedy) == ("Slurm", "for free nodes", "passes by itself")
    assert view.earliest.endswith(", says Slurm")
    assert rows(known)[0].count("#") == 0, "its place is Slurm's"


def remedies_of(reason: str) -> list[tuple[RemedyKind, str]]:
    known = submitted(reason, "x")
    view = waiting_view(known, snapshot(known))
    assert view is not None
    return [(remedy.kind, remedy.text) for remedy in view.rows[0].remedies]


def test_what_lifts_a_reason_is_offered() -> None:
    assert remedies_of("JobHeldUser") == [(RemedyKind.FREE, "scontrol release 12")]
    assert [kind for kind, _ in remedies_of("PartitionTimeLimit")] == [RemedyKind.FIELDS, RemedyKind.RERUN]
    assert [kind for kind, _ in remedies_of("BadConstraints")] == [RemedyKind.RERUN, RemedyKind.STOP]
    assert remedies_of("Priority") == []
    (line,) = how_to_change([hold("PartitionTimeLimit")], "lm")
    assert line.endswith("backprop-tui edit lm -m MINUTES")


def gauges(*runs: KnownRun, width: int = 120, **fields: Any) -> list[str]:
    view = machine_view(snapshot(*runs, **fields))
    form = MachineForm.FULL if width >= 100 else MachineForm.SHORT
    lines = draw_machine(view, form, width, UNICODE, heading_row=False, host_row=True)
    assert all(width_of(line) <= width for line in lines)
    return [text_of(line) for line in lines]


def test_the_gpus_of_nodes_that_runs_use_are_below_those_of_this_machine() -> None:
    node = Node(name="n1", sample=sample(gpu(0), gpu(1, memory_used_bytes=gb(70))))
    for width in (80, 120):
        own, of_node, host = gauges(on_node("a", "n1", 1), sample=sample(gpu(0)), nodes=[node], width=width)
        assert own.split()[0].startswith("GPU")
        assert of_node.split()[0] == "n1:1"
        assert of_node.rstrip().endswith("a")
        assert not own.rstrip().endswith("a"), "the same GPU on another machine"
        assert "CPU" in host


def test_a_node_without_gpus_shows_processor_and_memory() -> None:
    lines = gauges(on_node("a"), sample=sample(), nodes=[Node(name="n1.cluster", sample=sample())])
    assert lines[0].split()[:2] == ["n1", "CPU"]
    assert "38%" in lines[0]


def test_a_silent_node_is_shown_with_its_age() -> None:
    node = Node(name="n1", sample=sample(gpu(0), time=NOW.wall - 300))
    (line, *_) = gauges(on_node("a", "n1", 0), sample=sample(), nodes=[node])
    assert "not measured since" in line


def test_a_login_node_is_not_measured_for_jobs_of_the_cluster() -> None:
    assert machine_view(snapshot(submitted())).note == "not measured: its runs are jobs of the cluster"
    assert machine_view(snapshot(queued("a"))).note == "measuring"
