"""All settings: key, kind, default, help text, and names in the original tool."""

from __future__ import annotations

from backprop_tui.config import kinds
from backprop_tui.config.kinds import Kind, Value
from backprop_tui.domain.lazy_dataclass import lazy_dataclass


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A setting; `name` is its table and its name in it, as "gpu.max_temp_c".

    `original` are its names in JSON files of the original tool; a dot is a level of nesting. `user_only`: a project's
    file must not set it.
    """

    name: str
    kind: Kind
    default: Value
    help: str
    original: tuple[str, ...] = ()
    user_only: bool = False

    @property
    def section(self) -> str:
        """The TOML table of the setting; "" for the top level."""
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
        """The name in JSON: "governor.startBurst" for "governor.start_burst"."""
        first, *others = self.leaf.split("_")
        leaf = first + "".join(word.capitalize() for word in others)
        return f"{self.section}.{leaf}" if self.section else leaf


_ALL = (
    Key(
        name="max_run_minutes",
        kind=kinds.number(above=0, optional=True),
        default=10.0,
        help='timebox of a run in minutes; "none" means no limit',
        original=("maxRunMinutes",),
    ),
    Key(
        name="max_parallel",
        kind=kinds.integer(least=0),
        default=2,
        help="runs that may run at the same time; 0 means no limit",
        original=("maxParallel",),
    ),
    Key(
        name="framework",
        kind=kinds.choice("auto", "pytorch", "tensorflow"),
        default="auto",
        help="passed to the script",
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
        help="passed to the script",
        original=("checkpointEveryMinutes",),
    ),
    Key(
        name="min_free_ram_gb",
        kind=kinds.number(least=0),
        default=4.0,
        help="free RAM in GB that a run needs to start; 0 switches it off",
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
        help="free GPU memory in MB that a run needs and claims; 0 switches it off",
        original=("gpu.minFreeVramMB", "gpuMinVram", "gpuMinVramMB", "gpuMinFreeVramMB"),
    ),
    Key(
        name="gpu.max_temp_c",
        kind=kinds.number(least=0),
        default=85.0,
        help="temperature in Celsius at which runs on a GPU are paused; none starts within 3 below; 0 switches it off",
        original=("gpu.maxTempC", "gpuMaxTemp", "gpuMaxTempC"),
    ),
    Key(
        name="gpu.resume_margin_c",
        kind=kinds.number(least=0),
        default=5.0,
        help="degrees below the limit at which paused runs continue",
    ),
    Key(
        name="governor.start_burst",
        kind=kinds.integer(least=0),
        default=4,
        help="runs that may start together; 0 means no limit",
    ),
    Key(
        name="governor.starts_per_minute",
        kind=kinds.number(least=0),
        default=1.0,
        help="starts per minute after the burst; 0 means no limit",
    ),
    Key(
        name="governor.max_load_per_core",
        kind=kinds.number(least=0),
        default=2.0,
        help="load per usable core below which a run starts; 0 switches it off",
    ),
    Key(
        name="governor.min_free_disk_gb",
        kind=kinds.number(least=0),
        default=1.0,
        help="free disk space in GB that a run needs to start, in the state directory; 0 switches it off",
    ),
    Key(
        name="governor.sample_seconds",
        kind=kinds.number(least=0.1),
        default=1.0,
        help="sampling interval, s",
    ),
    Key(
        name="governor.on_overheat",
        kind=kinds.choice("pause", "stop", "warn"),
        default="pause",
        help='"stop" ends the run, to be resumed later: for runs on several GPUs, whose NCCL watchdog limits pauses',
    ),
    Key(
        name="governor.on_nan",
        kind=kinds.choice("warn", "stop"),
        default="warn",
        help="action when a loss is NaN or infinite",
    ),
    Key(
        name="governor.max_pause_minutes",
        kind=kinds.number(least=0),
        default=60.0,
        help="a run paused by the guard for this long is stopped, to be resumed; 0 switches it off",
    ),
    Key(name="run.stop_signal", kind=kinds.signal_name(), default="INT", help="the first signal that stops a run"),
    Key(
        name="run.grace_seconds",
        kind=kinds.number(least=0),
        default=30.0,
        help="seconds from the stop signal to SIGTERM; SIGKILL follows 5 seconds later",
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
        help="automatic retries of transient failures",
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
            "regular expressions for log lines that are not recognised; groups named step, epoch, total_steps, "
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
        help="refresh interval of the screen, s",
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
        help="show a desktop notification (OSC 9 or 777) when a run ends unseen",
    ),
    Key(
        name="notify.command",
        kind=kinds.text(optional=True),
        default=None,
        help="a command to run when a run ends unseen; it gets BACKPROP_ENDED_RUN, _NAME, _STATUS, _CAUSE",
        user_only=True,  # a cloned repository must not be able to execute commands
    ),
)

KEYS: dict[str, Key] = {key.name: key for key in _ALL}
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
