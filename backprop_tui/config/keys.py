"""All settings: key, kind, default, help text, and names in the original tool."""

from __future__ import annotations

import math
from enum import Enum, auto

from backprop_tui.config import kinds
from backprop_tui.config.kinds import Kind, Value
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import MACHINE_SETTINGS
from backprop_tui.domain.quantities import DISK_GIGABYTES, GIGABYTES, MEGABYTES, MINUTES, SECONDS
from backprop_tui.domain.run import DEFAULT_TIMEBOX_SECONDS


class Strictness(Enum):
    """Which of two values of a limit is the stricter one; `LOWER`: 0 is no limit."""

    LOWER = auto()
    HIGHER = auto()

    def is_stricter(self, value: Value, other: Value) -> bool:
        return self._rank(value) > self._rank(other)

    def _rank(self, value: Value) -> float:
        if not isinstance(value, int | float) or (self is Strictness.LOWER and not value):
            return -math.inf
        return -value if self is Strictness.LOWER else value


@lazy_dataclass(frozen=True, slots=True)
class Key:
    """A setting; `name` is its table and its name in it, as "gpu.max_temp_c".

    `original` are its names in JSON files of the original tool, besides the one in camel case; a dot is a level of
    nesting. A project's file must not set what is `user_only`, is named where it sets what is executed (`is_program`),
    and may only tighten what is `strict`. `sample` is the content of a table, for the example. `synonyms` are other
    words that people search for.
    """

    name: str
    kind: Kind
    default: Value
    help: str
    original: tuple[str, ...] = ()
    user_only: bool = False
    is_program: bool = False
    strict: Strictness | None = None
    sample: str = ""
    synonyms: str = ""

    @property
    def section(self) -> str:
        """The TOML table of the setting; "" for the top level."""
        return self.name.rpartition(".")[0]

    @property
    def leaf(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def variable(self) -> str:
        return "BACKPROP_" + self.name.replace(".", "_").upper()

    @property
    def is_settled_when_queued(self) -> bool:
        """Whether a run keeps the value that it was queued with."""
        return self.name not in MACHINE_SETTINGS and self.section not in ("dashboard", "notify")

    @property
    def in_camel_case(self) -> str:
        """The name in JSON: "governor.startBurst" for "governor.start_burst"."""
        first, *others = self.leaf.split("_")
        leaf = first + "".join(word.capitalize() for word in others)
        return f"{self.section}.{leaf}" if self.section else leaf


# The dashboard's own, then those that Textual has; this layer does not import it.
_THEMES = """
    dark light terminal backprop-dark backprop-light backprop-terminal
    textual-dark textual-light ansi-dark ansi-light atom-one-dark atom-one-light catppuccin-frappe catppuccin-latte
    catppuccin-macchiato catppuccin-mocha dracula flexoki gruvbox monokai nord rose-pine rose-pine-dawn rose-pine-moon
    solarized-dark solarized-light tokyo-night
""".split()  # noqa: SIM905 - short names, of which a list has one on each line
COMMAND_OUTPUTS = ("terminal", "screen", "background")

_ALL = (
    Key(
        "max_run_minutes",
        kinds.number(above=0, optional=True, unit=MINUTES),
        DEFAULT_TIMEBOX_SECONDS / 60,
        'timebox of a run in minutes; "none" means no limit',
        synonyms="timeout duration length walltime",
    ),
    Key(
        "max_parallel",
        kinds.integer(least=0, auto=True),
        kinds.AUTO,
        'runs at the same time; "auto": one per GPU, without GPUs one per 4 cores, at least 2; 0 means no limit',
        strict=Strictness.LOWER,
        synonyms="slots concurrent simultaneous jobs",
    ),
    Key(
        "framework",
        kinds.choice("auto", "pytorch", "tensorflow"),
        "auto",
        "framework name passed to the script in BACKPROP_FRAMEWORK",
    ),
    Key(
        "gpu_memory_limit",
        kinds.memory_limit(),
        None,
        'GPU memory a run may use: "80%" of the GPU, or GB',
        synonyms="vram",
    ),
    Key(
        "checkpoint_every_minutes",
        kinds.number(above=0, optional=True, unit=MINUTES),
        None,
        "minutes between checkpoints, passed to the script as BACKPROP_CHECKPOINT_EVERY_SECONDS",
    ),
    Key(
        "min_free_ram_gb",
        kinds.number(least=0, unit=GIGABYTES),
        4.0,
        "free RAM in GB that a run needs to start; 0 switches it off",
        original=("minFreeRamGB", "gpu.minFreeRamGB", "minFreeRam"),
        strict=Strictness.HIGHER,
        synonyms="memory",
    ),
    Key(
        "gpu.probe",
        kinds.choice("auto", "nvml", "nvidia-smi", "amd", "simulated", "none"),
        "auto",
        "source of GPU readings: nvml, nvidia-smi, amd, simulated or none; auto takes the first that works",
        original=("gpuProbe",),
    ),
    Key(
        "gpu.min_free_vram_mb",
        kinds.number(least=0, unit=MEGABYTES),
        2500.0,
        "free GPU memory in MB that a run needs and claims; 0 switches it off",
        original=("gpu.minFreeVramMB", "gpuMinVram", "gpuMinVramMB", "gpuMinFreeVramMB"),
        strict=Strictness.HIGHER,
        synonyms="video memory",
    ),
    Key(
        "gpu.max_temp_c",
        kinds.temperature(),
        85.0,
        "temperature in Celsius at which runs on a GPU are paused; runs do not start within 3 degrees of it; "
        "0 switches it off",
        original=("gpuMaxTemp", "gpuMaxTempC"),
        strict=Strictness.LOWER,
        synonyms="heat hot thermal",
    ),
    Key(
        "gpu.resume_margin_c",
        kinds.number(least=0, most=50),
        5.0,
        "degrees below the limit at which paused runs continue",
        strict=Strictness.HIGHER,
        synonyms="heat cool temperature thermal",
    ),
    Key("governor.start_burst", kinds.integer(least=0), 4, "runs that may start together; 0 means no limit"),
    Key(
        "governor.starts_per_minute",
        kinds.number(least=0),
        1.0,
        "starts per minute after the burst; 0 means no limit",
        synonyms="rate pace",
    ),
    Key(
        "governor.max_load_per_core",
        kinds.number(least=0),
        2.0,
        "load per usable core below which a run starts; 0 switches it off",
        strict=Strictness.LOWER,
        synonyms="cpu busy",
    ),
    Key(
        "governor.min_free_disk_gb",
        kinds.number(least=0, unit=DISK_GIGABYTES),
        1.0,
        "free disk space in GB that a run needs to start, in the state directory; 0 switches it off",
        strict=Strictness.HIGHER,
        synonyms="storage",
    ),
    Key(
        "governor.sample_seconds",
        kinds.number(least=0.1, most=600, unit=SECONDS),
        1.0,
        "seconds between two measurements",
    ),
    Key(
        "governor.on_overheat",
        kinds.choice("pause", "stop", "warn"),
        "pause",
        '"stop" ends the run, to be resumed later: for runs on several GPUs, whose NCCL watchdog limits pauses',
        synonyms="heat hot temperature thermal throttle",
    ),
    Key("governor.on_nan", kinds.choice("warn", "stop"), "warn", "action when a loss is NaN or infinite"),
    Key(
        "governor.max_pause_minutes",
        kinds.number(least=0, unit=MINUTES),
        60.0,
        "a run paused by the guard for this long is stopped, to be resumed; 0 switches it off",
    ),
    Key("run.stop_signal", kinds.signal_name(), "INT", "the first signal that stops a run"),
    Key(
        "run.grace_seconds",
        kinds.number(least=0, unit=SECONDS),
        30.0,
        "seconds from the stop signal to SIGTERM; SIGKILL follows 5 seconds later",
    ),
    Key("run.warn_signal", kinds.warning(), None, 'a signal before the limit: "USR1@60" is SIGUSR1 a minute before'),
    Key(
        "run.leftovers",
        kinds.choice("auto", "wait", "kill"),
        "auto",
        "processes that the script left running: auto (the run lasts while they work), wait (until they end), kill",
    ),
    Key(
        "run.retries", kinds.integer(least=0), 0, "automatic retries of transient failures", synonyms="restart attempts"
    ),
    Key(
        "run.objective",
        kinds.objective(),
        None,
        'metric that decides which run is best: "val_loss", "score:max"; "none": a validation metric, else the loss',
        synonyms="best goal",
    ),
    Key("run.launcher", kinds.choice("local", "slurm"), "local", "what starts runs: this machine, or a Slurm cluster"),
    Key(
        "run.python",
        kinds.text(optional=True),
        None,
        "interpreter for scripts; none: the active environment, else that of its project, else python3",
        is_program=True,
        synonyms="interpreter venv conda environment",
    ),
    Key("run.checkpoint_globs", kinds.texts(), (), "patterns of checkpoint files"),
    Key(
        "readers.patterns",
        kinds.log_patterns(),
        (),
        "regular expressions for log lines that are not recognized; groups named step, epoch, total_steps, "
        "total_epochs, eta_seconds, checkpoint, and any other name for a metric",
    ),
    Key("slurm.partition", kinds.text(optional=True), None, "the partition of Slurm jobs; none: the cluster's"),
    Key("slurm.account", kinds.text(optional=True), None, "the account that is charged for them"),
    Key("slurm.qos", kinds.text(optional=True), None, "their quality of service"),
    Key("slurm.constraint", kinds.text(optional=True), None, "features that their nodes must have"),
    Key(
        "slurm.gres",
        kinds.text(optional=True),
        None,
        'the kind of GPU that --gpus asks for, such as "gpu:a100", or a whole request, such as "gpu:a100:2"',
    ),
    Key("slurm.cpus", kinds.integer(least=1, optional=True), None, "their cores; none: the cluster's default"),
    Key("slurm.memory_gb", kinds.number(above=0, optional=True), None, "their memory in GB; none: the partition's"),
    Key("slurm.extra", kinds.texts(), (), "more options of sbatch, which override the others", is_program=True),
    Key(
        "dashboard.theme",
        kinds.choice("auto", *_THEMES),
        "auto",
        "a theme's name; auto follows the terminal",
        synonyms="colors dark light",
    ),
    Key("dashboard.background", kinds.choice("theme", "terminal"), "theme", '"terminal" paints no background'),
    Key(
        "dashboard.refresh_seconds",
        kinds.number(least=0.5, most=600, unit=SECONDS),
        1.0,
        "seconds between two updates of the screen",
        synonyms="interval rate",
    ),
    Key("dashboard.ascii", kinds.choice("auto", "on", "off"), "auto", "plain ASCII only"),
    Key("dashboard.curves", kinds.choice("braille", "blocks", "ascii"), "braille", "how curves are drawn"),
    Key(
        "keys",
        kinds.table(),
        {},
        "keys of your own in the dashboard: each starts an action, one of the commands below, or a command line",
        user_only=True,
        sample='"ctrl+t" = "tensorboard --logdir {run_dir}"',
    ),
    Key(
        "commands",
        kinds.tables("name", "command", optional={"key": kinds.text(), "output": kinds.choice(*COMMAND_OUTPUTS)}),
        (),
        "commands of your own for the selected run, in the palette of the dashboard; in them {id}, {name}, {run_dir}, "
        "{log}, {cwd}, {script}, {checkpoint} and {group} are replaced; output: terminal, screen or background",
        user_only=True,
        sample='name = "size of the run"\n# command = "du -sh {run_dir}"\n# key = "f5"\n# output = "screen"',
    ),
    Key("notify.bell", kinds.boolean(), True, "ring the terminal when a run ends unseen", synonyms="sound beep alarm"),
    Key(
        "notify.osc",
        kinds.boolean(),
        False,
        "show a desktop notification (OSC 9 or 777) when a run ends unseen",
        synonyms="popup",
    ),
    Key(
        "notify.command",
        kinds.text(optional=True),
        None,
        "a command to run when a run ends unseen; it gets BACKPROP_ENDED_RUN, _NAME, _STATUS, _CAUSE",
        user_only=True,  # a cloned repository must not be able to execute commands
        synonyms="hook mail slack webhook",
    ),
)

KEYS: dict[str, Key] = {key.name: key for key in _ALL}
HELP_TEXTS = {key.name: key.help for key in _ALL}
JSON_NAMES: dict[str, Key] = {name: key for key in _ALL for name in (*key.original, key.in_camel_case)}
# Keys of the original tool's files that are arguments of `run` here.
ORIGINAL_ARGUMENTS = frozenset({"trainingScriptPath", "runId", "resumeFrom", "experimentName"})
# Values that the original tool names differently.
ORIGINAL_VALUES = {"gpu.probe": {"rocm": "amd"}}


def _fold_case(name: str) -> str:
    return name.replace("_", "").lower()


_KEYS_BY_FOLDED_NAME = {_fold_case(name): key for name, key in JSON_NAMES.items()}


def key_in_json(name: str) -> Key | None:
    """Returns the setting for a name in a JSON file; case is ignored (minFreeRamGB, minFreeRamGb, minFreeRAM)."""
    return _KEYS_BY_FOLDED_NAME.get(_fold_case(name))
