"""Header, gauges, governor, problem and details."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from backprop_tui.domain.governor.governor_state import GovernorMode
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.run import Cause
from backprop_tui.domain.status import Status
from backprop_tui.domain.telemetry import UNKNOWN_PREFIX, GpuHealth, GpuProcess
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.machine import governor_line, short_gpu_model
from backprop_tui.tui import Mode
from backprop_tui.tui.glyphs import ASCII, UNICODE
from backprop_tui.tui.layout import MachineForm, compute_layout
from backprop_tui.tui.lines import Token, text_of, width_of
from backprop_tui.tui.panes.card import Card, draw_card
from backprop_tui.tui.panes.details import draw_details
from backprop_tui.tui.panes.events import draw_events
from backprop_tui.tui.panes.gauges import GpuUser, MachineView, machine_view
from backprop_tui.tui.panes.governor import draw_governor, draw_problem, governor_line_view, problem_view
from backprop_tui.tui.panes.header import draw_header, header_view
from backprop_tui.tui.panes.machine import draw_machine
from backprop_tui.tui.panes.selected_heading import PaneHeading, draw_selected_heading, tab_at
from backprop_tui.tui.panes.selected_run import TABS, selected_run_view
from backprop_tui.tui.snapshot import OpenRun, WrongSetting
from tests.tui.scene import scene
from tests.tui.snapshots import NOW, ended, gb, governor, gpu, queued, running, sample, snapshot


def test_the_header_counts_what_there_is() -> None:
    view = header_view(snapshot(running("a"), queued("b"), queued("c"), ended("d", Status.FAILED)))
    assert view.counts == {Status.RUNNING: 1, Status.QUEUED: 2, Status.FAILED: 1}


def test_ends_of_long_ago_are_not_counted() -> None:
    assert header_view(snapshot(ended("d", Status.FAILED, ago=100_000))).counts == {}


def test_a_simulation_is_labelled_at_every_width() -> None:
    view = header_view(snapshot(running("a"), sample=sample(gpu(), probe="simulated")))
    for width in range(20, 200):
        line = draw_header(view, width, UNICODE)
        assert "SIM" in text_of(line)
        assert width_of(line) <= width


def test_read_only_is_shown_even_where_the_counts_fill_the_header() -> None:
    now = scene(mode=Mode.READ_ONLY)
    for width in (60, 80, 120):
        line = draw_header(header_view(now), width, UNICODE)
        assert "READ-ONLY" in text_of(line)
        assert width_of(line) <= width
    assert "◌ 4  ✗ 3  ✓ 2" in text_of(draw_header(header_view(now), 80, UNICODE))
    narrow = text_of(draw_header(header_view(scene()), 80, UNICODE))
    assert "4 waiting  ✗ 3 failed  ✓ 2  " in narrow, "no count is left out where there is room for it"


def test_a_wrong_setting_and_the_key_that_repairs_it_are_named_at_80_columns() -> None:
    text = "config.toml:12: governor.max_load_per_core = 'much': must be a number; `backprop-tui config check` ..."
    wrong = WrongSetting(text=text, key="governor.max_load_per_core")
    view = header_view(replace(scene(), wrong_setting=wrong))
    for width in (80, 100, 120):
        line = draw_header(view, width, UNICODE)
        assert "governor.max_load_per_core is wrong  , settings" in text_of(line)
        assert "✗ 3" in text_of(line)
        assert width_of(line) <= width
        clicks = {piece.click for piece in line if "wrong" in piece.text or "settings" in piece.text}
        assert clicks == {"press(',')"}
    assert f"{text}  , settings" in text_of(draw_header(view, 240, UNICODE))
    several = replace(view, wrong_setting=WrongSetting(text=text, key="max_run_minutes", others=3))
    assert "max_run_minutes is wrong +3  , settings" in text_of(draw_header(several, 80, UNICODE))
    file = replace(view, wrong_setting=WrongSetting(text=text, place="config.toml:12"))
    assert "config.toml:12 is wrong  , settings" in text_of(draw_header(file, 80, UNICODE))
    for width in range(1, 200):
        assert width_of(draw_header(view, width, UNICODE)) <= width


def test_a_gpu_row_has_all_figures() -> None:
    view = machine_view(snapshot(running("nano"), sample=sample(gpu())))
    layout = compute_layout(120, 40, gpus=1)
    lines = draw_machine(view, layout.machine_form, 120, UNICODE, heading_row=True, host_row=True)
    text = text_of(lines[1])
    for part in ("GPU 0 H100", "87%", "61.2/80 GB", "71 °C", "412/700W", "38%", "nano"):
        assert part in text
    assert "118/252 GB" in text_of(lines[2])
    assert "1.2 TB free" in text_of(lines[2])


@pytest.mark.parametrize(
    ("percent", "used", "text"),
    [(2, 1, "idle"), (99, 1, "busy, no process visible"), (0, 48.8, "busy, no process visible"), (None, None, "")],
)
def test_a_gpu_in_use_is_not_idle_without_a_visible_process(
    percent: float | None, used: float | None, text: str
) -> None:
    reading = gpu(utilization_percent=percent, memory_used_bytes=None if used is None else gb(used))
    view = machine_view(snapshot(sample=sample(reading)))
    lines = {
        width: text_of(draw_machine(view, MachineForm.FULL, width, UNICODE, heading_row=False, host_row=False)[0])
        for width in (80, 160)
    }
    assert lines[160].endswith(text)
    assert lines[80].endswith(text.partition(",")[0])


def test_the_model_of_a_gpu_that_never_answered_is_left_out() -> None:
    lost = gpu(7, uuid=f"{UNKNOWN_PREFIX}7", name="unknown", health=GpuHealth.LOST, problem="fallen off the bus")
    view = machine_view(snapshot(sample=sample(lost)))
    (line,) = draw_machine(view, MachineForm.FULL, 120, UNICODE, heading_row=False, host_row=False)
    assert text_of(line).split("✗")[0].strip() == "GPU 7"


def test_what_was_not_measured_is_a_dash_and_no_zero() -> None:
    bare = gpu(
        temperature_celsius=None, utilization_percent=None, memory_used_bytes=None, power_watts=None, fan_percent=None
    )
    view = machine_view(snapshot(sample=sample(bare)))
    text = text_of(
        draw_machine(
            view, compute_layout(120, 40, gpus=1).machine_form, 120, UNICODE, heading_row=False, host_row=False
        )[0]
    )
    assert text.count(" -") >= 3
    assert " 0%" not in text
    assert "W" not in text, "no column for what no GPU reads"


def test_gauges_fit_every_width_and_number_of_gpus() -> None:
    for count in (0, 1, 2, 8, 16, 64):
        view = machine_view(snapshot(running("nano" * 20), sample=sample(*(gpu(index) for index in range(count)))))
        for width in range(60, 240, 3):
            for height in (12, 24, 40):
                layout = compute_layout(width, height, gpus=count)
                for glyphs in (UNICODE, ASCII):
                    lines = draw_machine(
                        view,
                        layout.machine_form,
                        width,
                        glyphs,
                        heading_row=layout.machine_heading,
                        host_row=layout.host_row,
                    )
                    assert all(width_of(line) <= width for line in lines), (count, width, layout.machine_form)


def test_a_hot_gpu_has_a_mark_and_a_too_hot_one_is_bad() -> None:
    rows = machine_view(
        snapshot(sample=sample(*(gpu(at, temperature_celsius=heat) for at, heat in enumerate((79, 80, 85)))))
    ).gpus
    assert [(row.hot, row.heat_token) for row in rows] == [(False, Token.FG), (True, Token.WARN), (True, Token.BAD)]


def test_a_gpu_that_does_not_answer_gives_its_row_to_the_reason() -> None:
    lost = gpu(health=GpuHealth.LOST, age_seconds=60.0, problem="Xid 79, fallen off the bus")
    row = machine_view(snapshot(sample=sample(lost))).gpus[0]
    assert row.problem is not None
    assert row.problem.startswith("not answering since")
    assert "Xid 79" in row.problem


def test_readings_that_are_old_are_not_shown_as_new() -> None:
    row = machine_view(snapshot(sample=sample(gpu(), time=NOW.wall - 60))).gpus[0]
    assert row.problem is not None
    assert row.problem.startswith("not measured since")


def test_memory_of_nonchilds_is_named() -> None:
    processes = (GpuProcess(pid=40412, owner="mika", memory_bytes=gb(31.3)),)
    users = machine_view(snapshot(sample=sample(gpu(processes=processes)))).gpus[0].users
    assert users == (GpuUser(text="pid 40412 (mika, not ours) 31.3 GB", short="pid 40412", token=Token.WARN),)


def _row(view: MachineView, width: int, index: int = 0) -> str:
    layout = compute_layout(width, 40, gpus=len(view.gpus))
    return text_of(draw_machine(view, layout.machine_form, width, UNICODE, heading_row=False, host_row=False)[index])


def test_a_lost_gpu_still_names_its_runs_and_is_not_idle() -> None:
    lost = gpu(health=GpuHealth.LOST, age_seconds=60.0, problem="Xid 79, fallen off the bus")
    for width in (80, 120, 200):
        assert _row(machine_view(snapshot(running("nano"), sample=sample(lost))), width).rstrip().endswith("nano")
    assert "idle" not in _row(machine_view(snapshot(sample=sample(lost))), 120)


def test_a_gpu_names_as_many_of_its_users_as_fit_those_of_several_gpus_first() -> None:
    runs = [running(name) for name in ("alpha-alpha", "beta-beta-beta")]
    wide = running("llama")
    wide = replace(wide, record=wide.record | {"gpus": [{"index": at, "uuid": f"GPU-{at}"} for at in range(4)]})
    stranger = GpuProcess(pid=40412, owner="mika", memory_bytes=gb(31.3))
    view = machine_view(snapshot(*runs, wide, sample=sample(gpu(processes=(stranger,)))))
    assert (
        _row(view, 250).rstrip().endswith("llama ×4, alpha-alpha, beta-beta-beta, pid 40412 (mika, not ours) 31.3 GB")
    )
    assert _row(view, 120).rstrip().endswith("llama ×4 +3")


def test_where_a_name_has_no_room_the_arguments_that_differ_are_shown() -> None:
    runs = [replace(running(lr, name="train"), differing=(("lr", lr),)) for lr in ("1e-3", "3e-3")]
    runs = [
        replace(run, record=run.record | {"gpus": [{"index": at, "uuid": f"GPU-{at}"}]}) for at, run in enumerate(runs)
    ]
    view = machine_view(snapshot(*runs, sample=sample(*(gpu(at) for at in range(8)))))
    pairs = draw_machine(view, MachineForm.PAIRS, 80, UNICODE, heading_row=False, host_row=False)
    assert "lr=1e-3" in text_of(pairs[0])
    assert "lr=3e-3" in text_of(pairs[0])
    assert "train" not in text_of(pairs[0])
    assert "train lr=1e-3" in _row(view, 120)


def test_columns_are_only_there_for_what_some_gpu_reads() -> None:
    passive = gpu(fan_percent=None, power_limit_watts=None)
    lines = draw_machine(
        machine_view(snapshot(sample=sample(passive))), MachineForm.FULL, 120, UNICODE, heading_row=True, host_row=True
    )
    assert "fan" not in text_of(lines[0])
    assert "412 W" in text_of(lines[1])


def test_a_figure_at_high_load_has_the_color_of_its_bar() -> None:
    busy = gpu(utilization_percent=95.0, memory_used_bytes=gb(79.0), power_watts=690.0)
    pieces = draw_machine(
        machine_view(snapshot(sample=sample(busy))), MachineForm.FULL, 120, UNICODE, heading_row=False, host_row=False
    )[0]
    tokens = {piece.text.strip(): piece.token for piece in pieces}
    assert (tokens["95%"], tokens["79.0"], tokens["690"]) == (Token.OK, Token.WARN, Token.WARN)


def test_a_gpu_is_called_by_its_telling_word() -> None:
    assert short_gpu_model("NVIDIA H100 80GB HBM3") == "H100"
    assert short_gpu_model("NVIDIA GeForce RTX 4090") == "4090"
    assert short_gpu_model("RTX4090 24GB") == "4090"
    assert short_gpu_model("AMD Instinct MI300X") == "MI300X"
    assert short_gpu_model("NVIDIA A100-SXM4-80GB") == "A100"
    assert short_gpu_model("NVIDIA GeForce RTX 3090 Ti") == "3090 Ti"
    assert short_gpu_model("NVIDIA RTX 6000 Ada Generation") == "6000 Ada Generation"
    assert short_gpu_model("NVIDIA TITAN V") == "TITAN V"


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_two_cards_never_look_alike_and_no_word_of_a_model_is_cut(width: int) -> None:
    names = ("NVIDIA GeForce RTX 3090", "NVIDIA GeForce RTX 3090 Ti", "NVIDIA H100 80GB HBM3", "NVIDIA RTX A6000")
    view = machine_view(snapshot(sample=sample(*(gpu(index, name=name) for index, name in enumerate(names)))))
    for form in (MachineForm.FULL, MachineForm.SHORT, MachineForm.PAIRS):
        drawn = draw_machine(view, form, width, UNICODE, heading_row=False, host_row=False)
        text = "\n".join(map(text_of, drawn)).replace("GPU ", "").replace("GPU", "")
        assert re.findall(r"\b([0-3]) (\w+(?: Ti)?)", text) == [
            ("0", "3090"),
            ("1", "3090 Ti"),
            ("2", "H100"),
            ("3", "A6000"),
        ]


def test_of_gpus_without_room_for_a_model_the_last_row_counts_the_models() -> None:
    view = machine_view(snapshot(sample=sample(*map(gpu, range(8)))))
    lines = draw_machine(view, MachineForm.PAIRS, 80, UNICODE, heading_row=False, host_row=True)
    assert text_of(lines[-1]).rstrip().endswith("8 × H100")


def test_the_runs_of_gpus_that_share_a_row_differ_where_they_are_cut() -> None:
    runs = [running(name, name=f"train-model-{name}") for name in ("alpha", "gamma")]
    on = [replace(run, record={**run.record, "gpus": [{"uuid": f"GPU-{i}"}]}) for i, run in enumerate(runs)]
    view = machine_view(snapshot(*on, sample=sample(gpu(0), gpu(1))))
    drawn = text_of(draw_machine(view, MachineForm.PAIRS, 80, UNICODE, heading_row=False, host_row=False)[0])
    assert [word for word in drawn.split() if "…" in word] == ["trai…-alpha", "trai…-gamma"]


def test_the_governor_names_gpus_of_which_any_would_do_as_one_check() -> None:
    count = HoldReason(check=Check.GPU_COUNT, message="none of 2 GPUs has 60 GB", figure=0, limit=1)
    of_gpus = tuple(HoldReason(check=Check.GPU_MEMORY, message=f"GPU {index}: full", gpu=index) for index in (0, 1))
    held = governor(state=GovernorMode.HOLDING, reasons=(count, *of_gpus))
    assert governor_line(held, waiting=1).clauses == ("none of 2 GPUs has 60 GB",)


def test_the_governor_says_why_it_holds() -> None:
    reasons = (HoldReason(check=Check.GPU_TEMPERATURE, message="GPU 1 too hot, 84 °C, starts below 80", gpu=1),)
    state = governor(state=GovernorMode.HOLDING, reasons=reasons)
    view = governor_line_view(snapshot(*map(queued, "abcdefg"), governor=state, supervisor_pid=1))
    text = text_of(draw_governor(view, 120, UNICODE))
    assert text.startswith(" ◌ waiting  GPU 1 too hot, 84 °C, starts below 80  +6 waiting ")
    assert text.endswith("starts ▪▪▪▫ 3 of 4 ")


@pytest.mark.parametrize("alive", [True, False])
def test_the_governor_line_counts_the_waiting_runs_as_the_header_does(alive: bool) -> None:  # noqa: FBT001
    def line(*runs: KnownRun, **fields: Any) -> str:
        now = snapshot(*runs, governor=governor(waiting=0, active=0, **fields) if alive else None)
        return text_of(draw_governor(governor_line_view(now), 120, UNICODE))

    assert "nothing is waiting" in line()
    assert "nothing is waiting" not in line(*map(queued, "abc"))
    assert "2 runs waiting on other machines" in line(queued("a", host="other"), queued("b", host="other"))
    assert "◌ waiting" not in line(state=GovernorMode.HOLDING) or not alive


def test_a_machine_without_work_needs_no_supervisor() -> None:
    assert governor_line_view(snapshot()).line.title == "queue open"
    assert governor_line_view(snapshot(queue_held=True)).line.title == "queue held"
    assert governor_line_view(snapshot(queued("a"))).line.title == "starting the background process …"


def test_the_problem_line_shows_the_newest_unseen_failure() -> None:
    runs = (
        ended("new", Status.FAILED, ago=240, cause=Cause(kind="import_error", evidence="ImportError: torch")),
        ended("old", Status.LOST),
    )
    view = problem_view(snapshot(*runs), frozenset())
    assert view is not None
    text = text_of(draw_problem(view, 100, UNICODE))
    assert "✗ new failed 4m ago: ImportError: torch" in text
    assert "+1 more" in text
    assert problem_view(snapshot(*runs), {"new", "old"}) is None


def test_the_details_tell_command_and_progress() -> None:
    run = running("nano", step=38_400, total_steps=60_000, metrics={"loss": 2.2})
    view = selected_run_view(snapshot(run), "nano")
    assert view is not None
    for width in (60, 80, 120, 200):
        lines = draw_details(view.sections, width, UNICODE).lines
        assert all(width_of(line) <= width for line in lines)
        text = "\n".join(map(text_of, lines))
        assert "step 38,400 of 60,000 (64%)" in text
        assert "python train.py" in text


def test_events_stand_newest_first() -> None:
    events = (
        {"time": "2027-01-14T08:00:00.000Z", "event": "queued", "message": "queued"},
        {"time": "2027-01-15T07:59:00.000Z", "event": "started", "message": "attempt 1"},
    )
    view = selected_run_view(snapshot(running("a"), opened=OpenRun(run_id="a", events=events)), "a")
    assert view is not None
    text = [text_of(line) for line in draw_events(view.events, 80, UNICODE)]
    assert "attempt 1" in text[0]
    assert " Jan 14 " in text[1]
    assert "queued" in text[2]


def test_each_tab_is_found_where_it_is_drawn() -> None:
    view = PaneHeading(name="nano", facts="7f3a2c · attempt 1", tabs=TABS)
    for width in (62, 80, 120):
        for tab in range(len(TABS)):
            text = text_of(draw_selected_heading(view, tab, width, UNICODE, focused=True))
            assert len(text) == width
            for place in range(len(TABS)):
                assert tab_at(view, tab, text.index(f" {place + 1}") + 1, width, UNICODE) == place


@pytest.mark.parametrize(
    ("width", "tab", "titles"),
    [
        (80, 0, "1 Log  2 Metrics  3 Resources  4 Details  5 Events"),
        (64, 0, "1 Log  2 Metrics  3 Resources  4 Details  5"),
        (64, 4, "1 Log  2 Metrics  3 Resources  4  5 Events"),
        (40, 3, "1  2  3  4 Details  5"),
    ],
)
def test_as_many_tabs_as_fit_have_a_title(width: int, tab: int, titles: str) -> None:
    view = PaneHeading(name="nano-lm-768", facts="7f3a2c · attempt 1", tabs=TABS)
    assert titles in text_of(draw_selected_heading(view, tab, width, UNICODE, focused=False))


def test_of_the_counts_what_failed_and_what_runs_stay_longest() -> None:
    runs = [*(running(f"r{place}") for place in range(2)), queued("q"), ended("f", Status.FAILED), ended("d")]
    view = header_view(snapshot(*runs))
    shown = {width: text_of(draw_header(view, width, UNICODE)).split() for width in (100, 40, 20, 18, 13)}
    assert " ".join(shown[100][1:-1]) == "ada-gpu-07 ► 2 running ◌ 1 waiting ✗ 1 failed ✓ 1 completed"
    assert shown[40][:-1] == ["backprop", "►", "2", "◌", "1", "✗", "1", "✓", "1"]
    assert shown[20] == ["backprop", "►", "2", "✗", "1"]
    assert shown[18] == ["backprop", "►", "2", "✗", "1"]
    assert shown[13] == ["backprop", "✗", "1"]


def test_a_card_says_all_of_an_advice_in_the_rows_it_may_take() -> None:
    advice = "halve --batch-size (256), or give it a GPU of its own; a smaller model helps too"
    card = Card(title="CUDA out of memory", lines=(("advice", advice), ("resume", "no checkpoint")))
    rows = [text_of(line)[3:] for line in draw_card(card, 60, UNICODE)]
    assert [row[:10].strip() for row in rows[1:]] == ["advice", "", "resume"]
    assert " ".join(row[10:] for row in rows[1:3]) == advice
    assert all(len(row) <= 57 for row in rows)
    clipped = draw_card(card, 60, UNICODE, rows=3)
    assert len(clipped) == 3
    assert text_of(clipped[1]).endswith(" halve --batch-size (256), or give it a GPU …")


def test_a_card_without_room_shows_what_to_do_first_and_how_much_is_hidden() -> None:
    lines = (("evidence", "line 8: torch.OutOfMemoryError: " + "x" * 50), ("advice", "y " * 40), ("resume", "step 3"))
    card = Card(title="CUDA out of memory", lines=lines)
    full = [text_of(line) for line in draw_card(card, 60, UNICODE)]
    assert len(full) == 6
    shown = {rows: [text_of(line) for line in draw_card(card, 60, UNICODE, rows=rows)] for rows in range(1, 8)}
    assert [len(shown[rows]) for rows in shown] == [1, 2, 3, 4, 5, 6, 6]
    assert shown[6] == full
    assert shown[1][0].endswith("CUDA out of memory  (3 more lines)")
    assert [line[3:9] for line in shown[2][1:]] == ["advice"]
    assert shown[3][0].endswith("(1 more line)")
    assert [line[3:9] for line in shown[3][1:]] == ["advice", "resume"]
    assert shown[4][0].endswith("CUDA out of memory")
    assert [line[3:9] for line in shown[5][1:]] == ["eviden", "advice", "      ", "resume"]
    assert all(len(line) <= 60 for rows in shown.values() for line in rows)


def test_two_gpus_in_a_row_name_their_runs_at_80_columns() -> None:
    lines = draw_machine(machine_view(scene(gpus=8)), MachineForm.PAIRS, 80, UNICODE, heading_row=False, host_row=True)
    assert " nano-lm-768 " in text_of(lines[0])
    assert all(width_of(line) <= 80 for line in lines)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_time_to_the_end_stands_beside_the_tabs_whatever_tab_it_is(width: int) -> None:
    now = snapshot(running("nano", name="n" * 60, step=10, total_steps=100, eta_seconds=300.0))
    view = selected_run_view(now, "nano")
    assert view is not None
    for tab in range(len(TABS)):
        text = text_of(draw_selected_heading(view.heading, tab, width, UNICODE, focused=False))
        assert text.rstrip("─ ").endswith("eta 5m")
        assert f" {tab + 1} {TABS[tab]} " in text
        assert len(text) == width
