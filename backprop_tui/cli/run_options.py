"""The options of `run`, which `resume` takes too where they make sense for a run that exists."""

from __future__ import annotations

import argparse

from backprop_tui.cli import values
from backprop_tui.cli.sweeps import axis
from backprop_tui.domain.limits import GIGABYTE, MEGABYTE

FRAMEWORKS = ("auto", "pytorch", "tensorflow")
PROBES = ("auto", "nvml", "nvidia-smi", "amd", "simulated", "none")
LAUNCHERS = ("local", "slurm")


def add_identity_options(parser: argparse.ArgumentParser) -> None:
    """What only a new run can be given."""
    group = parser.add_argument_group("which run")
    group.add_argument("--run-id", metavar="ID", help="the id of the new run; refused where there is a run of that id")
    group.add_argument(
        "--key", metavar="K", type=values.label, help="submit once: the same key again gives the run it made before"
    )
    group.add_argument("--group", metavar="NAME", type=values.handle_label, help="the group the run belongs to")
    group.add_argument(
        "--sweep",
        metavar="KEY=V1,V2|A..B",
        type=axis,
        action="append",
        default=[],
        help="one run for each value, given to the script as --KEY VALUE or where an argument says {KEY}; "
        "several make a grid, all in one group",
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """What can be given to a new run and again to one that is resumed; nothing given is None or empty."""
    _add_following(parser)
    _add_words(parser)
    _add_limits(parser)
    _add_gpu(parser)
    _add_queueing(parser)
    _add_environment(parser)
    _add_ending(parser)
    _add_checkpoints(parser)


def _add_following(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("following")
    group.add_argument("-d", "--detach", action="store_true", help="print the run's id and return; it goes on")
    group.add_argument(
        "--no-wait", action="store_true", help="start now or not at all: held by the governor, exit with 75, no record"
    )


def _add_words(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("words about it")
    group.add_argument("-n", "--name", type=values.handle_label, help="its name (the script's, without .py)")
    group.add_argument(
        "--tag", action="append", type=values.label, default=[], help="a word to find it by; may be given again"
    )
    group.add_argument("--note", metavar="TEXT", type=values.label, help="a line about it")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limits")
    group.add_argument(
        "-m",
        "--max-run-minutes",
        metavar="MIN",
        type=values.minutes_or_none,
        help="timebox of one attempt, fractions allowed; none: no limit (10)",
    )
    group.add_argument(
        "--total-minutes",
        metavar="MIN",
        type=values.minutes,
        help="run so long in timeboxes, each resumed from the last checkpoint, queued behind the others in between",
    )
    group.add_argument(
        "--until",
        metavar="CONDITION",
        action="append",
        type=values.until,
        default=[],
        help="run in timeboxes until a printed step, epoch or metric is so: step=10000, 'loss<0.1'; given again, the "
        "first that is reached counts; with --total-minutes, whichever comes first",
    )
    group.add_argument(
        "-p",
        "--max-parallel",
        metavar="N",
        type=values.whole(least=0),
        help="start only while fewer than N runs are active; 0: no limit (the machine's)",
    )
    group.add_argument(
        "--min-free-ram",
        metavar="GB",
        type=values.at_least_zero("a number of GB", scale=GIGABYTE),
        help="start only while so much memory is free; 0: do not check (4)",
    )


def _add_gpu(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("GPUs")
    group.add_argument(
        "--gpus",
        metavar="N",
        type=values.whole(least=0),
        help="how many it gets; 0 hides all from it (1 where the machine has any)",
    )
    group.add_argument(
        "--gpu-ids", metavar="IDS", type=values.gpu_ids, help="only these: indices or UUIDs, separated by commas"
    )
    group.add_argument(
        "-g",
        "--gpu-memory-limit",
        metavar="LIMIT",
        type=values.memory_limit,
        help="how much memory of a GPU it may use: 80%%, or 8 for 8 GB (no limit)",
    )
    group.add_argument(
        "--gpu-min-vram",
        metavar="MB",
        type=values.at_least_zero("a number of MB", scale=MEGABYTE),
        help="start only where so much GPU memory is free; 0: do not check (2500)",
    )
    group.add_argument(
        "--gpu-max-temp",
        metavar="C",
        type=values.at_least_zero("a temperature in degrees Celsius"),
        help="start and run only below; 0: do not check (85)",
    )
    group.add_argument("--gpu-probe", choices=PROBES, help="what measures the GPUs (auto)")


def _add_queueing(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("queue")
    group.add_argument("--priority", metavar="N", type=values.whole(), help="higher goes first (0)")
    group.add_argument(
        "--after",
        metavar="RUN[:any]",
        action="append",
        default=[],
        help="wait until that run is completed or timeboxed, with :any whatever its end; may be given again",
    )
    group.add_argument(
        "--retries",
        metavar="N",
        type=values.whole(least=0),
        help="start it again so often when it fails and a start can mend that (0)",
    )
    group.add_argument("--launcher", choices=LAUNCHERS, help="what starts it (local)")


def _add_environment(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("environment")
    group.add_argument(
        "--python",
        metavar="PATH",
        help="the interpreter, or the environment's directory (the active environment, else .venv, else python3)",
    )
    group.add_argument("--cwd", metavar="DIR", help="the directory it works in (this one)")
    group.add_argument(
        "--env",
        metavar="NAME=VALUE",
        action="append",
        type=values.variable,
        default=[],
        help="set a variable beside the environment of this shell; may be given again",
    )
    group.add_argument("-f", "--framework", choices=FRAMEWORKS, help="what the script trains with (auto)")


def _add_ending(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it is ended")
    group.add_argument(
        "--stop-signal", metavar="SIGNAL", type=values.signal_name, help="the first signal, to the whole group (INT)"
    )
    group.add_argument(
        "--grace-seconds",
        metavar="S",
        type=values.at_least_zero("a number of seconds"),
        help="from the stop signal to TERM; KILL comes 5 s later (30)",
    )
    group.add_argument(
        "--warn-signal",
        metavar="SIGNAL@SECONDS",
        type=values.warning,
        help="a signal so many seconds before the timebox ends, such as USR1@60 (none)",
    )


def _add_checkpoints(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("checkpoints")
    group.add_argument("-r", "--resume-from", metavar="PATH", help="the checkpoint to start from")
    group.add_argument(
        "--resume-arg",
        metavar="TEMPLATE",
        type=values.words_template,
        help="how the script is told the checkpoint, such as '--resume={path}' (--resume-from, where it knows that)",
    )
    group.add_argument(
        "-c",
        "--checkpoint-every-minutes",
        metavar="MIN",
        type=values.minutes,
        help="how often the script is asked to save",
    )
    group.add_argument(
        "--checkpoint-glob",
        metavar="PATTERN",
        action="append",
        default=[],
        help="where checkpoints appear, relative to the run's directory; may be given again",
    )
