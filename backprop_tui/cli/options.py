"""The options of `run`, which `resume` accepts too if they make sense for an existing run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from backprop_tui.cli import values
from backprop_tui.client.run_request import NO_LIMIT, RunOptions, RunRequest, WarningSignal, parse_axis
from backprop_tui.config.kinds import (
    AUTO,
    integer,
    number,
    parse_memory_limit,
    parse_signal,
    parse_warning,
    signal_name,
    temperature,
    warning,
)
from backprop_tui.domain.formatting import shortened
from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.objective import parse_objective
from backprop_tui.domain.quantities import DISK_GIGABYTES, GIGABYTES, MEGABYTES, MINUTES, SECONDS
from backprop_tui.domain.thresholds import MACHINES_LIMIT

FRAMEWORKS = ("auto", "pytorch", "tensorflow")
LEFTOVERS = ("auto", "wait", "kill")
PROBES = ("auto", "nvml", "nvidia-smi", "amd", "simulated", "none")
LAUNCHERS = ("local", "slurm")


def _warning_signal(text: str | None) -> WarningSignal:
    if text is None:
        return WarningSignal(name=None, seconds=0.0)
    name, seconds = parse_warning(text)
    return WarningSignal(name=name, seconds=seconds)


# Minutes above 0 in seconds; `none` is NO_LIMIT.
minutes_or_none: Callable[[str], float] = values.parser_of(
    number(above=0, optional=True, unit=MINUTES), lambda minutes: NO_LIMIT if minutes is None else minutes * 60
)
max_parallel: Callable[[str], int] = values.parser_of(
    integer(least=0, auto=True), lambda value: MACHINES_LIMIT if value == AUTO else value
)
stop_signal: Callable[[str], str] = values.parser_of(signal_name(), parse_signal)
warn_signal: Callable[[str], WarningSignal] = values.parser_of(warning(), _warning_signal)


def run_options(arguments: argparse.Namespace) -> RunOptions:
    return RunOptions(**_given(arguments, RunOptions))


def run_request(arguments: argparse.Namespace) -> RunRequest:
    """The request for new runs that was given; words after `--` are the script's arguments, or a command line."""
    words = None if arguments.after_dashes is None else tuple(arguments.after_dashes)
    if arguments.script is None:
        return RunRequest(**_given(arguments, RunRequest), command=words)
    return RunRequest(**_given(arguments, RunRequest), arguments=words or ())


def _given(arguments: argparse.Namespace, cls: type[RunOptions]) -> dict[str, Any]:
    parsed = {field.name: getattr(arguments, field.name) for field in fields(cls) if hasattr(arguments, field.name)}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in parsed.items()}


def add_identity_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that only a new run can be given."""
    group = parser.add_argument_group("identity")
    group.add_argument("--run-id", metavar="ID", help="the id of the new run; refused if there is a run with that id")
    group.add_argument(
        "--key",
        metavar="K",
        type=values.label,
        help="submit once: the same key again returns the earlier run; with another command it is an error",
    )
    group.add_argument(
        "--like",
        metavar="RUN",
        help="a new run like that one, whatever became of it: its command and options, but for those given here; "
        "arguments after -- replace those of the same name, or are added",
    )
    group.add_argument("--group", metavar="NAME", type=values.handle_label, help="the group the run belongs to")
    group.add_argument(
        "--sweep",
        metavar="KEY=V1,V2|A..B",
        type=values.parser_by(parse_axis),
        action="append",
        default=[],
        help="one run for each value, passed to the script as --KEY VALUE or in place of {KEY} in its arguments; "
        "several make a grid, all in one group",
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options for new and resumed runs; their destinations are the fields of `RunOptions`."""
    _add_following(parser)
    _add_labels(parser)
    _add_limits(parser)
    _add_gpu(parser)
    _add_queueing(parser)
    add_slurm(parser, "what the job asks for, with --launcher slurm")
    _add_environment(parser)
    _add_stopping(parser)
    _add_checkpoints(parser)


def _add_following(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("following")
    group.add_argument("-d", "--detach", action="store_true", help="print the run's id and return; the run continues")
    group.add_argument(
        "--no-wait",
        action="store_true",
        help="start now or not at all: if the run would have to wait, exit with 75 and leave no record",
    )


def _add_labels(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("labels")
    group.add_argument("-n", "--name", type=values.handle_label, help="name (default: that of the script or module)")
    group.add_argument(
        "--tag",
        dest="tags",
        metavar="TAG",
        action="append",
        type=values.label,
        default=[],
        help="a word to find the run by; repeatable",
    )
    group.add_argument("--note", metavar="TEXT", type=values.label, help="a line of text about the run")
    add_objective(
        group,
        "metric that decides which run is best, by its lowest (min) or highest (max) value (default: a validation "
        "metric, else the reward, else the smoothed training loss)",
    )


def add_timebox(parser: argparse._ActionsContainer, text: str) -> None:
    names = ("-m", "--max-run-minutes", "--max-minutes")
    parser.add_argument(*names, dest="max_run_seconds", metavar="MIN", type=minutes_or_none, help=text)


def add_objective(parser: argparse._ActionsContainer, text: str) -> None:
    parser.add_argument("--objective", metavar="METRIC[:min|max]", type=values.parser_by(parse_objective), help=text)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limits")
    add_timebox(group, "timebox of one attempt: minutes, or 45s, 1h30m, 2d; none: no limit (default: 10)")
    group.add_argument(
        "--total-minutes",
        dest="total_seconds",
        metavar="MIN",
        type=values.minutes,
        help="total time (12h) in timeboxes, each resumed from the last checkpoint and queued behind other runs",
    )
    group.add_argument(
        "--until",
        metavar="CONDITION",
        action="append",
        type=values.parser_by(_until),
        default=[],
        help="train in timeboxes until a printed step, epoch or metric meets it: step=10000, 'loss<0.1'; of several, "
        "or with --total-minutes, the first that is reached ends the run",
    )
    add_host_thresholds(group)


def add_host_thresholds(group: argparse._ActionsContainer) -> None:
    """What the machine must have for a start; `edit` gives it to queued runs too."""
    group.add_argument(
        "-p",
        "--max-parallel",
        metavar="N",
        type=max_parallel,
        help="start only while fewer than N runs are active; 0: no limit, auto: the machine's limit (default: auto)",
    )
    group.add_argument(
        "--max-load",
        dest="max_load_per_core",
        metavar="N",
        type=values.at_least_zero(),
        help="start only while the load per core is below N; 0: do not check (default: 2)",
    )
    group.add_argument(
        "--min-free-ram",
        dest="min_free_ram_bytes",
        metavar="GB",
        type=values.size(GIGABYTES),
        help="start only while that much memory is free, also as 500MB; 0: do not check (default: 4)",
    )
    group.add_argument(
        "--min-free-disk",
        dest="min_free_disk_bytes",
        metavar="GB",
        type=values.size(DISK_GIGABYTES),
        help="start only while that much disk space is free, also as 500MB; 0: do not check (default: 1)",
    )


def _until(text: str) -> object:
    try:
        return parse_goal(text)
    except ValueError as error:
        raise ValueError(f"{shortened(text)}: {error}") from None


def _add_gpu(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("GPUs")
    group.add_argument(
        "--gpus",
        metavar="N",
        type=values.whole(least=0),
        help="number of GPUs for the run; 0 hides all GPUs from it (default: 1 if the machine has any)",
    )
    group.add_argument(
        "--gpu-ids", metavar="IDS", type=values.gpu_ids, help="use only these: indices or UUIDs, separated by commas"
    )
    group.add_argument(
        "-g",
        "--gpu-memory-limit",
        metavar="LIMIT",
        type=values.parser_by(parse_memory_limit),
        help="how much memory of a GPU the run may use: 80%%, 8 for 8 GB, or 500MB (default: no limit)",
    )
    add_gpu_thresholds(group)
    group.add_argument("--gpu-probe", choices=PROBES, help="what measures the GPUs (default: auto)")


def add_gpu_thresholds(group: argparse._ActionsContainer) -> None:
    """What a GPU must have for a start."""
    group.add_argument(
        "--gpu-min-vram",
        dest="gpu_min_free_vram_bytes",
        metavar="MB",
        type=values.size(MEGABYTES),
        help="start only on a GPU with that much free memory, also as 20GB; 0: do not check (default: 2500)",
    )
    group.add_argument(
        "--gpu-max-temp",
        dest="gpu_max_temp_celsius",
        metavar="C",
        type=values.parser_of(temperature(), float),
        help="start and run only below this temperature; 0: do not check (default: 85)",
    )


def _add_queueing(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("queue")
    group.add_argument("--priority", metavar="N", type=values.whole(), help="higher goes first (default: 0)")
    group.add_argument(
        "--after",
        metavar="RUN[:any]",
        action="append",
        default=[],
        help="wait until that run is completed or timeboxed, with :any however it ends; repeatable",
    )
    group.add_argument(
        "--retries",
        metavar="N",
        type=values.whole(least=0),
        help="how often to start the run again after a failure that may be temporary (default: 0)",
    )
    group.add_argument(
        "--launcher", choices=LAUNCHERS, help="what starts the run: local (default), or slurm: a job of the cluster"
    )


def add_slurm(parser: argparse.ArgumentParser, description: str) -> None:
    group = parser.add_argument_group("slurm", description)
    for name, help_ in (
        ("partition", "the partition (default: the cluster's)"),
        ("account", "the account that is charged"),
        ("qos", "the quality of service"),
        ("constraint", "features that the node must have"),
        ("gres", "the kind of GPU for --gpus, such as gpu:a100, or a whole request, such as gpu:a100:2"),
    ):
        group.add_argument(f"--slurm-{name}", metavar=name.upper(), type=values.label, help=help_)
    group.add_argument("--slurm-cpus", metavar="N", type=values.whole(least=1), help="cores of the job (default: 1)")
    group.add_argument(
        "--slurm-memory-gb",
        metavar="GB",
        type=values.at_least_zero(),
        help="its memory (default: the partition's)",
    )
    group.add_argument(
        "--slurm-extra",
        metavar="OPTION",
        action="append",
        default=[],
        help="one more option of sbatch, such as --slurm-extra=--exclude=n3; repeatable, and overrides the others",
    )


def _add_environment(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("environment")
    group.add_argument(
        "--python",
        metavar="PATH",
        help="an interpreter or environment's directory (default: the active one, else the project's, else python3)",
    )
    group.add_argument("--cwd", metavar="DIR", help="working directory of the run (default: this one)")
    group.add_argument(
        "--env",
        metavar="NAME=VALUE",
        action="append",
        type=values.variable,
        default=[],
        help="set a variable in addition to the environment of this shell; repeatable",
    )
    group.add_argument("-f", "--framework", choices=FRAMEWORKS, help="what the script trains with (default: auto)")


def _add_stopping(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("stopping")
    group.add_argument(
        "--stop-signal",
        metavar="SIGNAL",
        type=stop_signal,
        help="first signal, to the process group (default: INT)",
    )
    group.add_argument(
        "--grace-seconds",
        metavar="S",
        type=values.at_least_zero(SECONDS),
        help="time from the stop signal to TERM; KILL comes 5s later (default: 30)",
    )
    group.add_argument(
        "--warn-signal",
        metavar="SIGNAL@SECONDS",
        type=warn_signal,
        help="a signal that many seconds before the timebox ends, such as USR1@60 or USR1@2m (default: none)",
    )
    group.add_argument(
        "--leftovers",
        choices=LEFTOVERS,
        help="processes that the script left running: auto: the run lasts while they work, wait: until they end, "
        "kill: end them at once (default: auto)",
    )


def _add_checkpoints(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("checkpoints")
    group.add_argument("-r", "--resume-from", metavar="PATH", help="the checkpoint to start from")
    group.add_argument(
        "--resume-arg",
        metavar="TEMPLATE",
        type=values.words_template,
        help="how the script takes a checkpoint, such as '--resume={path}' or '--from-step={step}'"
        " (default: by its own option, if it has one)",
    )
    group.add_argument(
        "-c",
        "--checkpoint-every-minutes",
        dest="checkpoint_every_seconds",
        metavar="MIN",
        type=values.minutes,
        help="how often the script is asked to save",
    )
    group.add_argument(
        "--checkpoint-glob",
        dest="checkpoint_globs",
        metavar="PATTERN",
        action="append",
        default=[],
        help="where checkpoints appear, relative to the run's directory; repeatable",
    )
