"""Takes the screenshots in this folder from the real dashboard, with real runs on simulated GPUs in a temporary store.

    python screenshots/make.py [NAME ...]    four minutes; needs rsvg-convert (Debian: librsvg2-bin), DejaVu Sans Mono

One dashboard stays open all the time, since the histories of the gauges need minutes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picture import Picture
from rich.terminal_theme import TerminalTheme

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from backprop_tui.tui.app import Dashboard

HERE = Path(__file__).parent
PROJECT = HERE.parent
SETTINGS = """max_parallel = 8
[gpu]
probe = "simulated"
resume_margin_c = 26
[governor]
start_burst = 10
starts_per_minute = 0.1
max_load_per_core = 0
"""
# The temperature at which the hot run is paused; a simulated H100 settles at 74 C.
HOT_CELSIUS = "73"
TRAIN = ("--", "python", "train.py")
ENDED_SWEEP = ("--group", "gpt-mini", "--name", "gpt-mini", "--sweep", "lr=1e-4,3e-4,6e-4,2e-3", "--sweep", "seed=1..3",
               *TRAIN, "config/mini.py", "--total", "6000", "--begun", "1", "--to", "1.4")  # fmt: skip
ENDED_RUNS = (  # name, options, command
    ("resnet50-base", (), (*TRAIN, "config/resnet50.py", "--total", "9000", "--begun", "1", "--to", "0.41")),
    ("rnnt-large", ("-m", "0.15"), (*TRAIN, "config/rnnt.py", "--begun", "0.7", "--to", "0.8", "--out", "rnnt")),
    ("data-prep-v2", (), ("--", "python", "-c", "open('/data/imagenet/train.idx')")),
)
ACTIVE_RUNS = (  # name, options, command, VRAM in MB
    ("vit-l16-384", (), (*TRAIN, "config/vit_l.py", "--begun", "0.04", "--to", "3", "--batch-size", "256", "--fails"),
     2_000),
    ("nano-lm-768", ("-m", "60", "--total-minutes", "720", "--tag", "baseline", "--note", "wider MLP, cosine to 6e-5"),
     (*TRAIN, "config/lm768.py", "--begun", "0.63", "--out", "lm-768"), 61_000),
    ("vit-b16-aug", ("-m", "20", "--gpu-max-temp", HOT_CELSIUS),
     (*TRAIN, "config/vit.py", "--total", "30000", "--begun", "0.31", "--to", "0.9", "--out", "vit"), 74_000),
    ("llama-lora-r16", ("-m", "90"),
     (*TRAIN, "config/lora.py", "--total", "10000", "--begun", "0.9", "--to", "1.3", "--pace", "4"), 55_000),
    ("unet-seg-512", ("-m", "45"),
     (*TRAIN, "config/unet.py", "--total", "50000", "--begun", "0.45", "--to", "0.3"), 41_000),
)  # fmt: skip
SWEEP_NAMES = ("--group", "lr × seed", "--name", "sweep", "--sweep", "lr=1e-3,3e-4", "--sweep", "seed=1,2")
SWEEP = (*SWEEP_NAMES, "-m", "12", "--gpu-min-vram", "15000")
QUEUED_RUNS = (  # options and command, VRAM in MB
    ((*SWEEP, *TRAIN, "--total", "10000", "--begun", "0.16", "--to", "0.35", "--pace", "1.4"), 17_000),
    (("--name", "qwen-sft-4gpu", "--gpus", "4", "--gpu-min-vram", "40000", *TRAIN, "config/qwen.py"), 70_000),
    (("--name", "eval-nano-lm", "--after", "nano-lm-768", *TRAIN, "config/eval.py"), 8_000),
)
OPEN_SECONDS = 210.0
SETTLING_SECONDS = 2.5
TERMINAL = TerminalTheme(
    (15, 20, 25),
    (216, 222, 230),
    [(40, 44, 52), (224, 108, 117), (126, 201, 143), (227, 179, 95), (108, 182, 255), (195, 166, 244),
     (116, 199, 212), (216, 222, 230)],
    [(94, 107, 122), (255, 125, 118), (126, 201, 143), (227, 179, 95), (108, 182, 255), (195, 166, 244),
     (116, 199, 212), (255, 255, 255)],
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Screenshot:
    """A screenshot: `run`, a name or a row of the list, is selected, then the keys are pressed.

    With `paused` it waits for the hot run's pause.
    """

    name: str
    size: tuple[int, int] = (120, 40)
    keys: tuple[str, ...] = ()
    run: str = "nano-lm-768"
    theme: str = "backprop-dark"
    paused: bool = False


SCREENSHOTS = (
    Screenshot(name="dashboard-120x40", paused=True),
    Screenshot(name="light-120x40", theme="backprop-light"),
    Screenshot(name="small-80x24", size=(80, 24)),
    Screenshot(name="wide-200x50", size=(200, 50)),
    Screenshot(name="metrics-120x40", keys=("2", "tab", "plus")),
    Screenshot(name="failed-120x40", run="vit-l16-384"),
    Screenshot(name="held-120x40", run="qwen-sft-4gpu", keys=("4",)),
    Screenshot(name="compare-120x40", keys=("space", "space", "space", "c")),
    Screenshot(
        name="new-run-120x40", keys=("n", *"train.py", "space", *"config/lm768.py", "space", *"--lr", "space", *"3e-4")
    ),
    Screenshot(name="group-120x40", run="group:gpt-mini", keys=("tab", "j", "P", "k")),
    Screenshot(name="curves-120x40", run="group:gpt-mini", keys=("tab", "2", "plus")),
    Screenshot(name="rerun-120x40", run="vit-l16-384", keys=("N",)),
    Screenshot(name="help-120x40", keys=("question_mark",)),
)


def main(names: list[str]) -> None:
    """Takes all screenshots or the named ones; then stops all runs and removes the store."""
    folder = Path(tempfile.mkdtemp(prefix="anna-"))
    scripts = folder / "nanoGPT"
    scripts.mkdir()
    shutil.copy(HERE / "training.py", scripts / "train.py")
    python = scripts / ".venv" / "bin" / "python"  # a virtual environment, as users have
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    config = folder / "config.toml"
    config.write_text(SETTINGS, encoding="utf-8")
    tools = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    os.environ |= {"BACKPROP_HOME": str(folder / "state"), "BACKPROP_HOST": "ada-gpu-07", "PYTHONPATH": str(PROJECT)}
    os.environ |= {"BACKPROP_SIMULATED_GPUS": "4xH100", "HOME": str(folder), "PATH": tools}
    program = [sys.executable, "-m", "backprop_tui", "--config", str(config)]
    os.chdir(scripts)
    sys.path.insert(0, str(PROJECT))
    try:
        submit_runs(program)
        asyncio.run(take_screenshots(config, [shot for shot in SCREENSHOTS if not names or shot.name in names]))
    finally:
        subprocess.run([*program, "stop", "--all", "--now"], check=False, stdout=subprocess.DEVNULL)
        os.chdir(HERE)
        while folder.exists():  # a supervisor that is exiting may still write a file
            shutil.rmtree(folder, ignore_errors=True)
            time.sleep(0.2)


def submit_runs(program: list[str]) -> None:
    """Queues all runs, the active ones once the first ones have ended."""

    def run(*arguments: str, megabytes: int = 20_000) -> None:
        environment = os.environ | {"BACKPROP_SIMULATED_VRAM_MB": str(megabytes)}
        subprocess.run([*program, "run", "-d", *arguments], check=True, stdout=subprocess.DEVNULL, env=environment)

    run(*ENDED_SWEEP, megabytes=4_000)
    for name, options, command in ENDED_RUNS:
        run("--name", name, *options, *command)
    subprocess.run([*program, "wait", "--all"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name, options, command, megabytes in ACTIVE_RUNS:
        run("--name", name, *options, *command, megabytes=megabytes)
        time.sleep(1.5)  # so that each run gets a GPU that is still free
    for arguments, megabytes in QUEUED_RUNS:
        run(*arguments, megabytes=megabytes)


async def take_screenshots(config: Path, shots: list[Screenshot]) -> None:
    """Opens the dashboard, waits until the charts have a history, and takes the screenshots."""
    from backprop_tui.main import _CommandLine
    from backprop_tui.store.home import Home
    from backprop_tui.tui import dashboard
    from backprop_tui.tui.commands import CommandRunner

    home = Home(os.environ["BACKPROP_HOME"], os.environ["BACKPROP_HOST"])
    app = dashboard(home, str(config), runner=CommandRunner(home, str(config), _CommandLine()))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(OPEN_SECONDS)
        for shot in shots:
            await take_screenshot(app, pilot, shot)


async def take_screenshot(app: Dashboard, pilot: Pilot[int], shot: Screenshot) -> None:
    """Starts at the main screen and returns to it."""
    from backprop_tui.tui.panes.runs import RunsTable
    from backprop_tui.tui.screens.main import MainScreen

    app.theme = shot.theme
    await pilot.resize_terminal(*shot.size)
    main_screen = next(screen for screen in app.screen_stack if isinstance(screen, MainScreen))
    if shot.paused:
        await wait_until(
            pilot, lambda: any(row.state == "paused" for row in main_screen.query_one(RunsTable).view.rows)
        )
    ids = (run.id for run in main_screen.snapshot.runs if run.record["name"] == shot.run)
    main_screen.query_one(RunsTable).select(next(ids, shot.run))
    await pilot.pause(SETTLING_SECONDS)
    for key in shot.keys:
        await pilot.press(key)
        await pilot.pause(0.05)
    await pilot.pause(SETTLING_SECONDS)
    save(app, shot)
    while app.screen is not main_screen:
        app.pop_screen()
    main_screen.state.marked.clear()
    for key in ("underscore", "1"):
        await pilot.press(key)
    main_screen.query_one(RunsTable).focus()
    await pilot.pause()


async def wait_until(pilot: Pilot[int], condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Waits for the condition, but not for ever: a screenshot without it is better than none."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        await pilot.pause(0.3)


def save(app: Dashboard, shot: Screenshot) -> None:
    """Saves the screen as PNG."""
    compositor: Any = app.screen._compositor  # noqa: SLF001 - as Textual's own export does
    update = compositor.render_update(full=True, screen_stack=app._background_screens)  # noqa: SLF001
    svg = Picture(TERMINAL).svg(update.strips, shot.size[0], title="backprop-tui")
    command = ["rsvg-convert", "--output", str(HERE / f"{shot.name}.png")]
    subprocess.run(command, input=svg.encode(), check=True)
    sys.stdout.write(f"{shot.name}.png\n")


if __name__ == "__main__":
    if shutil.which("rsvg-convert") is None:
        sys.exit("rsvg-convert is not installed (Debian: apt-get install librsvg2-bin)")
    main(sys.argv[1:])
