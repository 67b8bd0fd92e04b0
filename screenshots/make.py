"""Makes the pictures in this folder from the real dashboard, over real runs on simulated GPUs in a store of its own.

    python screenshots/make.py [NAME ...]    four minutes; needs rsvg-convert (Debian: librsvg2-bin), DejaVu Sans Mono

One dashboard is looked at all the while, as a person would: histories of the gauges need minutes.
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
# The temperature at which the hot run is paused, and VRAM of each run; a simulated H100 settles at 74 C.
HOT_CELSIUS = "73"
TRAIN = ("--", "python", "train.py")
BEFORE = (  # what is over when the pictures are made, one after the other
    ("resnet50-base", (), (*TRAIN, "config/resnet50.py", "--total", "9000", "--begun", "1", "--to", "0.41")),
    ("rnnt-large", ("-m", "0.15"), (*TRAIN, "config/rnnt.py", "--begun", "0.7", "--to", "0.8", "--out", "rnnt")),
    ("data-prep-v2", (), ("--", "python", "-c", "open('/data/imagenet/train.idx')")),
)
NOW = (
    ("nano-lm-768", ("-m", "60", "--total-minutes", "720", "--tag", "baseline", "--note", "wider MLP, cosine to 6e-5"),
     (*TRAIN, "config/lm768.py", "--begun", "0.63", "--out", "lm-768"), 61_000),
    ("vit-b16-aug", ("-m", "20", "--gpu-max-temp", HOT_CELSIUS),
     (*TRAIN, "config/vit.py", "--total", "30000", "--begun", "0.31", "--to", "0.9", "--out", "vit"), 74_000),
    ("llama-lora-r16", ("-m", "90"),
     (*TRAIN, "config/lora.py", "--total", "10000", "--begun", "0.9", "--to", "1.3", "--pace", "4"), 55_000),
    ("unet-seg-512", ("-m", "45"),
     (*TRAIN, "config/unet.py", "--total", "50000", "--begun", "0.45", "--to", "0.3"), 41_000),
    ("vit-l16-384", (), (*TRAIN, "config/vit_l.py", "--begun", "0.04", "--to", "3", "--fails"), 2_000),
)  # fmt: skip
SWEEP_OF = ("--group", "lr × seed", "--name", "sweep", "--sweep", "lr=1e-3,3e-4", "--sweep", "seed=1,2")
SWEEP = (*SWEEP_OF, "-m", "12", "--gpu-min-vram", "15000")
THEN = (
    ((*SWEEP, *TRAIN, "--total", "10000", "--begun", "0.16", "--to", "0.35", "--pace", "1.4"), 17_000),
    (("--name", "qwen-sft-4gpu", "--gpus", "4", "--gpu-min-vram", "40000", *TRAIN, "config/qwen.py"), 70_000),
    (("--name", "eval-nano-lm", "--after", "nano-lm-768", *TRAIN, "config/eval.py"), 8_000),
)
WATCHED_SECONDS = 210.0
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
class Shot:
    """A picture: its size, and the keys that lead to it. `run` is selected first, `paused` waits for the hot run."""

    name: str
    size: tuple[int, int] = (120, 40)
    keys: tuple[str, ...] = ()
    run: str = "nano-lm-768"
    theme: str = "backprop-dark"
    paused: bool = False


SHOTS = (
    Shot(name="dashboard-120x40", paused=True),
    Shot(name="light-120x40", theme="backprop-light"),
    Shot(name="small-80x24", size=(80, 24)),
    Shot(name="wide-200x50", size=(200, 50)),
    Shot(name="metrics-120x40", keys=("2", "tab", "plus")),
    Shot(name="failed-120x40", run="vit-l16-384"),
    Shot(name="held-120x40", run="qwen-sft-4gpu", keys=("4",)),
    Shot(name="compare-120x40", keys=("space", "space", "space", "c")),
    Shot(
        name="new-run-120x40", keys=("n", *"train.py", "space", *"config/lm768.py", "space", *"--lr", "space", *"3e-4")
    ),
    Shot(name="help-120x40", keys=("question_mark",)),
)


def main(names: list[str]) -> None:
    """All pictures or those named; then everything that was started is stopped and the store removed."""
    place = Path(tempfile.mkdtemp(prefix="anna-"))
    scripts = place / "nanoGPT"
    scripts.mkdir()
    shutil.copy(HERE / "training.py", scripts / "train.py")
    python = scripts / ".venv" / "bin" / "python"  # as a person would have it
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    config = place / "config.toml"
    config.write_text(SETTINGS, encoding="utf-8")
    tools = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    os.environ |= {"BACKPROP_HOME": str(place / "state"), "BACKPROP_HOST": "ada-gpu-07", "PYTHONPATH": str(PROJECT)}
    os.environ |= {"BACKPROP_SIMULATED_GPUS": "4xH100", "HOME": str(place), "PATH": tools}
    program = [sys.executable, "-m", "backprop_tui", "--config", str(config)]
    os.chdir(scripts)
    sys.path.insert(0, str(PROJECT))
    try:
        begin(program)
        asyncio.run(look(config, [shot for shot in SHOTS if not names or shot.name in names]))
    finally:
        subprocess.run([*program, "stop", "--all", "--now"], check=False, stdout=subprocess.DEVNULL)
        os.chdir(HERE)
        while place.exists():  # a supervisor on its way out may write a last word
            shutil.rmtree(place, ignore_errors=True)
            time.sleep(0.2)


def begin(program: list[str]) -> None:
    """Queues everything; what comes before is awaited."""

    def run(*words: str, megabytes: int = 20_000) -> None:
        environment = os.environ | {"BACKPROP_SIMULATED_VRAM_MB": str(megabytes)}
        subprocess.run([*program, "run", "-d", *words], check=True, stdout=subprocess.DEVNULL, env=environment)

    for name, options, command in BEFORE:
        run("--name", name, *options, *command)
    subprocess.run([*program, "wait", "--all"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name, options, command, megabytes in NOW:
        run("--name", name, *options, *command, megabytes=megabytes)
        time.sleep(1.5)  # so that each finds the GPU that the one before left
    for words, megabytes in THEN:
        run(*words, megabytes=megabytes)


async def look(config: Path, shots: list[Shot]) -> None:
    """Opens the dashboard, waits until there is something to see, and takes the pictures."""
    from backprop_tui.store.home import Home
    from backprop_tui.tui import dashboard

    app = dashboard(Home(os.environ["BACKPROP_HOME"], os.environ["BACKPROP_HOST"]), str(config))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(WATCHED_SECONDS)
        for shot in shots:
            await shoot(app, pilot, shot)


async def shoot(app: Dashboard, pilot: Pilot[int], shot: Shot) -> None:
    """From the main screen to the picture, and back."""
    from backprop_tui.tui.panes.runs import RunsTable
    from backprop_tui.tui.screens.main import MainScreen

    app.theme = shot.theme
    await pilot.resize_terminal(*shot.size)
    main_screen = next(screen for screen in app.screen_stack if isinstance(screen, MainScreen))
    if shot.paused:
        await until(pilot, lambda: any(row.state == "paused" for row in main_screen.query_one(RunsTable).view.rows))
    run_id = next(run.id for run in main_screen.snapshot.runs if run.record["name"] == shot.run)
    main_screen.query_one(RunsTable).select(run_id)
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


async def until(pilot: Pilot[int], holds: Callable[[], bool], seconds: float = 120.0) -> None:
    """Waits for it; a picture without it is better than none."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        await pilot.pause(0.3)


def save(app: Dashboard, shot: Shot) -> None:
    """As PNG, cell by cell."""
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
