"""The director of a demo: a process beside the dashboard that queues the runs, and ends everything when that is gone.

It is told so by the end of its standard input, which the kernel closes however the dashboard ends.
"""

from __future__ import annotations

import itertools
import os
import select
import subprocess
from collections.abc import Iterator

from backprop_tui.demo.programme import ENCORE, MACHINE, OPENING, Scene
from backprop_tui.demo.stage import Stage, take_down
from backprop_tui.launchers.own_command import own_command
from backprop_tui.store.home import Home
from backprop_tui.store.run_view import marked_ids

LOOK_SECONDS = 2.0
BUSY_RUNS = 7  # unfinished ones; below that the next is queued
_OURS = "BACKPROP_"


def direct(folder: str, host: str) -> None:
    """Plays on the stage in this folder until standard input ends."""
    stage = Stage(folder)
    try:
        _play(stage, Home(stage.home, host))
    finally:
        take_down(stage)


def _play(stage: Stage, home: Home) -> None:
    variables = environment(stage, home.host)
    for scene in OPENING:
        if _audience_left(0.0):
            return
        _queue(stage, scene, variables)
    encore = _encore()
    while not _audience_left(LOOK_SECONDS):
        if len(marked_ids(home)) < BUSY_RUNS:
            _queue(stage, next(encore), variables)


def _encore() -> Iterator[Scene]:
    return itertools.cycle(ENCORE)


def _audience_left(seconds: float) -> bool:
    """Whether standard input has ended, or does so within this time."""
    ready, _, _ = select.select([0], [], [], seconds)
    return bool(ready) and not os.read(0, 1)


def _queue(stage: Stage, scene: Scene, variables: dict[str, str]) -> None:
    """By the command, as a person would; what it says is kept in the store's own log."""
    options = ("--config", stage.config_path, "run", "-d", "-n", scene.name, *scene.options)
    command = own_command(*options, scene.script, "--", *scene.arguments)
    with open(os.path.join(stage.folder, "director.log"), "ab") as log:
        subprocess.run(
            command,
            cwd=stage.scripts_folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
        )


def environment(stage: Stage, host: str) -> dict[str, str]:
    """Ours without what the user set for runs of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return kept | MACHINE | {"BACKPROP_HOME": stage.home, "BACKPROP_HOST": host}
