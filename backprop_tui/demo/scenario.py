"""The demo's scenario: the simulated machine, its settings, and the runs."""

from __future__ import annotations

import os
from collections.abc import Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")
EXAMPLE = os.path.join(SCRIPTS, "train_rings.py")
_OUT_OF_MEMORY = os.path.join(SCRIPTS, "runs_out_of_memory.py")

# For the probe "simulated"; the warm ambient air lets a GPU reach its limit during the demo.
MACHINE = {"BACKPROP_SIMULATED_GPUS": "2xH100,2xRTX4090", "BACKPROP_SIMULATED_AMBIENT_C": "36"}
# Checks of the real machine are off, so that they hold no run of the demo.
CONFIG = """\
max_parallel = 8
min_free_ram_gb = 0

[gpu]
probe = "simulated"

[governor]
start_burst = 8
starts_per_minute = 6
max_load_per_core = 0
min_free_disk_gb = 0

[notify]
bell = false
"""


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class DemoRun:
    """One submission: the options of `run`, the script, and the arguments after `--`."""

    name: str
    options: Sequence[str] = ()
    script: str = EXAMPLE
    arguments: Sequence[str] = ()


def _training(name: str, print_as: str, *, steps: int, pace: float, vram_mb: int, more: Sequence[str] = ()) -> DemoRun:
    return DemoRun(
        name=name,
        options=(*_vram(vram_mb), *more),
        arguments=("--print-as", print_as, "--steps", str(steps), "--pace", str(pace)),
    )


def _vram(megabytes: int) -> tuple[str, ...]:
    """Options for the VRAM that the run uses of a simulated GPU and requires at its start."""
    return "--env", f"BACKPROP_SIMULATED_VRAM_MB={megabytes}", "--gpu-min-vram", str(megabytes)


_SWEEP = ("-m", "12", "--group", "rings lr × seed", "--sweep", "lr=0.3,0.03", "--sweep", "seed=1..2")
INITIAL_RUNS: Sequence[DemoRun] = (
    _training("nano-lm-124m", "nanogpt", steps=6000, pace=0.12, vram_mb=38_000, more=("-m", "30", "--tag", "lm")),
    _training(
        "vit-b16-aug",
        "keras",
        steps=4000,
        pace=0.1,
        vram_mb=61_000,
        more=("-m", "20", "--gpu-ids", "1", "--gpu-max-temp", "74", "--note", "its GPU grows too hot for its limit"),
    ),
    DemoRun(name="vit-l16-384", options=("-m", "20", *_vram(9_000)), script=_OUT_OF_MEMORY, arguments=("30",)),
    _training("unet-seg-512", "json", steps=240, pace=0.12, vram_mb=11_000, more=("-m", "10")),
    DemoRun(
        name="rings",
        options=(*_SWEEP, *_vram(4_000), "--gpus", "1", "--gpu-ids", "2,3"),
        arguments=("--steps", "900", "--pace", "0.15"),
    ),
    _training("rnnt-large", "plain", steps=4000, pace=0.1, vram_mb=7_000, more=("-m", "0.6", "--tag", "speech")),
    _training("qwen-sft-4gpu", "huggingface", steps=2000, pace=0.2, vram_mb=20_000, more=("-m", "60", "--gpus", "4")),
    _training("eval-nano-lm", "json", steps=300, pace=0.1, vram_mb=2_500, more=("--after", "nano-lm-124m")),
)
# Queued one after the other, over and over, until the demo ends.
LATER_RUNS: Sequence[DemoRun] = (
    _training("llama-lora-r16", "huggingface", steps=1500, pace=0.12, vram_mb=24_000, more=("-m", "15")),
    _training("resnet50-base", "tqdm", steps=1200, pace=0.1, vram_mb=12_000, more=("-m", "10")),
    _training("wav2vec-ft", "json", steps=1800, pace=0.1, vram_mb=8_000, more=("-m", "2", "--tag", "speech")),
    DemoRun(name="vit-l16-512", options=("-m", "20", *_vram(9_000)), script=_OUT_OF_MEMORY, arguments=("60",)),
)
