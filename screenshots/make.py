"""Makes the pictures in this folder from the real dashboard, over real runs on simulated GPUs in a store of its own.

python screenshots/make.py        needs numpy, and rsvg-convert (Debian: librsvg2-bin) for the PNG files
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent
SETTINGS = """max_parallel = 4
[gpu]
probe = "simulated"
[governor]
starts_per_minute = 0
max_load_per_core = 0
"""
TRAIN = str(PROJECT / "examples" / "train_digits.py")
RUNS = (
    ("--name", "resnet50-base", "--", sys.executable, TRAIN),
    ("--name", "data-prep-v2", "--", sys.executable, "-c", "open('/data/imagenet/train.idx')"),
    ("--name", "nano-lm-768", "-m", "30", "--", sys.executable, TRAIN, "--pace", "0.04"),
    ("--name", "vit-b16-aug", "-m", "20", "--", sys.executable, TRAIN, "--pace", "0.03", "--lr", "3e-4"),
    ("--sweep", "lr=1e-3,3e-4", "--sweep", "seed=1..2", "--group", "sweep", TRAIN, "--", "--pace", "0.02"),
    ("--name", "qwen-sft-4gpu", "--gpus", "4", "--", sys.executable, TRAIN),
)
# name, columns, rows, keys, theme
PICTURES = (
    ("dashboard-120x40", (120, 40), (), None),
    ("metrics-120x40", (120, 40), ("2",), None),
    ("compare-120x40", (120, 40), ("space", "space", "c"), None),
    ("small-80x24", (80, 24), (), None),
    ("light-120x40", (120, 40), (), "backprop-light"),
)
TRAINING_SECONDS = 45.0
SETTLING_SECONDS = 6.0


def main() -> None:
    """All pictures, then everything that was started is stopped and the store removed."""
    place = Path(tempfile.mkdtemp(prefix="backprop-screenshots-"))
    config = place / "config.toml"
    config.write_text(SETTINGS, encoding="utf-8")
    os.environ |= {"BACKPROP_HOME": str(place / "state"), "BACKPROP_HOST": "ada-gpu-07", "PYTHONPATH": str(PROJECT)}
    os.environ["BACKPROP_SIMULATED_GPUS"] = "2xH100"
    program = [sys.executable, "-m", "backprop_tui", "--config", str(config)]
    try:
        for options in RUNS:
            subprocess.run([*program, "run", "-d", *options], check=True, cwd=PROJECT, stdout=subprocess.DEVNULL)
        time.sleep(TRAINING_SECONDS)
        for name, size, keys, theme in PICTURES:
            asyncio.run(_shoot(name, size, keys, theme, config))
    finally:
        subprocess.run([*program, "stop", "--all", "--now"], check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(place, ignore_errors=True)


async def _shoot(name: str, size: tuple[int, int], keys: tuple[str, ...], theme: str | None, config: Path) -> None:
    sys.path.insert(0, str(PROJECT))
    from backprop_tui.store.home import Home
    from backprop_tui.tui import dashboard

    app = dashboard(Home(os.environ["BACKPROP_HOME"], os.environ["BACKPROP_HOST"]), str(config))
    async with app.run_test(size=size) as pilot:
        if theme is not None:
            app.theme = theme
        await pilot.pause(SETTLING_SECONDS / 2)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.5)
        await pilot.pause(SETTLING_SECONDS / 2)
        picture = HERE / f"{name}.svg"
        picture.write_text(app.export_screenshot(title="backprop-tui"), encoding="utf-8")
    _as_png(picture)


def _as_png(picture: Path) -> None:
    if shutil.which("rsvg-convert") is None:
        sys.stderr.write(f"{picture}: no PNG, rsvg-convert is not installed (Debian: apt-get install librsvg2-bin)\n")
        return
    subprocess.run(["rsvg-convert", "--output", str(picture.with_suffix(".png")), str(picture)], check=True)


if __name__ == "__main__":
    main()
