"""Every setting: its key, default, meaning, and the names it goes by elsewhere."""

from __future__ import annotations

from backprop_tui.config import kinds
from backprop_tui.config.kinds import Kind, Value
from backprop_tui.domain.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A setting; `name` is its table and its name in there, as "gpu.max_temp_c".

    `original` are the names it goes by in JSON files of the original tool; a dot is a level of nesting. `users_own`: a
    project's file may not set it.
    """

    name: str
    kind: Kind
    default: Value
    help: str
    original: tuple[str, ...] = ()
    users_own: bool = False

    @property
    def section(self) -> str:
        """The TOML table it stands in; "" for the top of the file."""
        return self.name.rpartition(".")[0]

    @property
    def leaf(self) -> str:
        """Its name within its table."""
        return self.name.rpartition(".")[2]

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "BACKPROP_" + self.name.replace(".", "_").upper()

    @property
    def in_camel_case(self) -> str:
        """Its name in JSON: "governor.startBurst" for "governor.start_burst"."""
        first, *others = self.leaf.split("_")
        leaf = first + "".join(word.capitalize() for word in others)
        return f"{self.section}.{leaf}" if self.section else leaf


_ALL = (
    Key(
        name="max_run_minutes",
        kind=kinds.number(above=0, optional=True),
        default=10.0,
        help='timebox of a run in minutes; "none" is no limit',
        original=("maxRunMinutes",),
    ),
    Key(
        name="max_parallel",
        kind=kinds.integer(least=0),
        default=2,
        help="runs at the same time; 0 is no limit",
        original=("maxParallel",),
    ),
    Key(
        name="framework",
        kind=kinds.choice("auto", "pytorch", "tensorflow"),
        default="auto",
        help="told to the script",
        original=("framework",),
    ),
    Key(
        name="gpu_memory_limit",
        kind=kinds.memory_limit(),
        default=None,
        help='GPU memory a run may use: "80%" of the GPU, or GB',
        original=("gpuMemoryLimit",),
    ),
    Key(
        name="checkpoint_every_minutes",
        kind=kinds.number(above=0, optional=True),
        default=None,
        help="told to the script",
        original=("checkpointEveryMinutes",),
    ),
    Key(
        name="min_free_ram_gb",
        kind=kinds.number(least=0),
        default=4.0,
        help="a run starts only while so much RAM is free; 0 is off",
        original=("minFreeRamGB", "gpu.minFreeRamGB", "minFreeRamGb", "minFreeRam"),
    ),
    Key(
        name="gpu.probe",
        kind=kinds.choice("auto", "nvml", "nvidia-smi", "amd", "simulated", "none"),
        default="auto",
        help="how GPUs are measured",
        original=("gpu.probe", "gpuProbe"),
    ),
    Key(
        name="gpu.min_free_vram_mb",
        kind=kinds.number(least=0),
        default=2500.0,
        help="free GPU memory in MB that a run needs and claims; 0 is off",
        original=("gpu.minFreeVramMB", "gpuMinVram", "gpuMinVramMB", "gpuMinFreeVramMB"),
    ),
    Key(
        name="gpu.max_temp_c",
        kind=kinds.number(least=0),
        default=85.0,
        help="runs on a GPU this hot (Celsius) are paused; none starts within 3 below; 0 is off",
        original=("gpu.maxTempC", "gpuMaxTemp", "gpuMaxTempC"),
    ),
    Key(
        name="gpu.resume_margin_c",
        kind=kinds.number(least=0),
        default=5.0,
        help="paused runs continue so many degrees below the limit",
    ),
    Key(name="governor.start_burst", kind=kinds.integer(least=0), default=4, help="starts at once; 0 is no limit"),
    Key(
        name="governor.starts_per_minute",
        kind=kinds.number(least=0),
        default=1.0,
        help="starts a minute after the burst; 0 is no limit",
    ),
    Key(
        name="governor.max_load_per_core",
        kind=kinds.number(least=0),
        default=2.0,
        help="a run starts only below this load per usable core; 0 is off",
    ),
    Key(
        name="governor.min_free_disk_gb",
        kind=kinds.number(least=0),
        default=1.0,
        help="a run starts only while so much disk is free for the state directory; 0 is off",
    ),
    Key(
        name="governor.sample_seconds",
        kind=kinds.number(least=0.1),
        default=1.0,
        help="seconds between two looks at the machine",
    ),
    Key(
        name="governor.on_overheat",
        kind=kinds.choice("pause", "stop", "warn"),
        default="pause",
        help='"stop" ends the run resumably: for runs on several GPUs, whose NCCL watchdog dislikes long pauses',
    ),
    Key(
        name="governor.on_nan", kind=kinds.choice("warn", "stop"), default="warn", help="when a loss is NaN or infinite"
    ),
    Key(
        name="governor.max_pause_minutes",
        kind=kinds.number(least=0),
        default=60.0,
        help="a run paused this long by the guard is stopped, resumably; 0 is off",
    ),
    Key(name="run.stop_signal", kind=kinds.signal_name(), default="INT", help="the first signal at the end"),
    Key(
        name="run.grace_seconds",
        kind=kinds.number(least=0),
        default=30.0,
        help="from the stop signal to SIGTERM; SIGKILL follows 5 seconds later",
    ),
    Key(
        name="run.warn_signal",
        kind=kinds.warning(),
        default=None,
        help='a signal before the limit: "USR1@60" is SIGUSR1 a minute before',
    ),
    Key(
        name="run.retries",
        kind=kinds.integer(least=0),
        default=0,
        help="starts again after a failure that a start can mend",
    ),
    Key(name="run.launcher", kind=kinds.choice("local", "slurm"), default="local", help="where runs are started"),
    Key(
        name="run.python",
        kind=kinds.text(optional=True),
        default=None,
        help="interpreter for scripts; none: the active environment, a .venv above the script, or python3",
    ),
    Key(name="run.checkpoint_globs", kind=kinds.texts(), default=(), help="patterns of checkpoint files"),
    Key(
        name="readers.patterns",
        kind=kinds.log_patterns(),
        default=(),
        help=(
            "regular expressions for lines of a log that no reader knows; groups named step, epoch, total_steps, "
            "total_epochs, eta_seconds, checkpoint, and any other name for a metric"
        ),
    ),
    Key(name="dashboard.theme", kind=kinds.text(), default="auto", help="a theme's name; auto follows the terminal"),
    Key(
        name="dashboard.background",
        kind=kinds.choice("theme", "terminal"),
        default="theme",
        help='"terminal" paints no background',
    ),
    Key(
        name="dashboard.refresh_seconds",
        kind=kinds.number(least=0.5),
        default=1.0,
        help="seconds between two updates of the screen",
    ),
    Key(name="dashboard.ascii", kind=kinds.choice("auto", "on", "off"), default="auto", help="plain ASCII only"),
    Key(
        name="dashboard.curves",
        kind=kinds.choice("braille", "blocks", "ascii"),
        default="braille",
        help="how curves are drawn",
    ),
    Key(name="notify.bell", kind=kinds.boolean(), default=True, help="ring the terminal when a run ends unseen"),
    Key(
        name="notify.osc",
        kind=kinds.boolean(),
        default=False,
        help="a desktop notice (OSC 9 or 777) when a run ends unseen",
    ),
    Key(
        name="notify.command",
        kind=kinds.text(optional=True),
        default=None,
        help="a command to run when a run ends unseen; it is told by BACKPROP_ENDED_RUN, _NAME, _STATUS, _CAUSE",
        users_own=True,  # what a clone brings along must not be run by looking at runs in it
    ),
)

KEYS: dict[str, Key] = {key.name: key for key in _ALL}
JSON_NAMES: dict[str, Key] = {name: key for key in _ALL for name in (*key.original, key.in_camel_case)}
# What a file of the original may say too, and what is an argument of `run` here.
ORIGINAL_ARGUMENTS = frozenset({"trainingScriptPath", "runId", "resumeFrom", "experimentName"})
# What the original calls otherwise.
ORIGINAL_WORDS = {"gpu.probe": {"rocm": "amd"}}


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


_FOLDED = {_folded(name): key for name, key in JSON_NAMES.items()}


def key_in_json(name: str) -> Key | None:
    """The key that a JSON file means; people write minFreeRamGB, minFreeRamGb and minFreeRAM, so case says nothing."""
    return _FOLDED.get(_folded(name))
