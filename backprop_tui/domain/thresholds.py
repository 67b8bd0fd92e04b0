"""The thresholds of a start that can be given to one run: the option and the setting of each, and a change of some."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import DISK_GIGABYTE, GIGABYTE, MEGABYTE, RunLimits

MACHINES_LIMIT = -1  # as many runs at a time as the machine allows


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """New thresholds for a run; None leaves one as it is. `max_parallel` may be MACHINES_LIMIT."""

    max_load_per_core: float | None = None
    min_free_ram_bytes: int | None = None
    min_free_disk_bytes: int | None = None
    max_parallel: int | None = None
    gpu_min_free_vram_bytes: int | None = None
    gpu_max_temp_celsius: float | None = None  # the only one that a run still has to obey after its start


@lazy_dataclass(frozen=True, slots=True)
class Threshold:
    """How a threshold is given: its setting and its option, both in units of `size`."""

    setting: str
    option: str
    size: int = 1

    def shown(self, value: float) -> str:
        return "auto" if value == MACHINES_LIMIT else f"{value / self.size:.15g}"


THRESHOLDS = {
    "max_load_per_core": Threshold("governor.max_load_per_core", "--max-load"),
    "min_free_ram_bytes": Threshold("min_free_ram_gb", "--min-free-ram", GIGABYTE),
    "min_free_disk_bytes": Threshold("governor.min_free_disk_gb", "--min-free-disk", DISK_GIGABYTE),
    "max_parallel": Threshold("max_parallel", "--max-parallel"),
    "gpu_min_free_vram_bytes": Threshold("gpu.min_free_vram_mb", "--gpu-min-vram", MEGABYTE),
    "gpu_max_temp_celsius": Threshold("gpu.max_temp_c", "--gpu-max-temp"),
}
OPTION_OF_SETTING = {threshold.setting: threshold.option for threshold in THRESHOLDS.values()}


def given(thresholds: Thresholds | None) -> Iterator[tuple[Threshold, float]]:
    """The thresholds that are set, with their values."""
    for name, threshold in THRESHOLDS.items():
        value = getattr(thresholds, name, None)
        if value is not None:
            yield threshold, value


def as_options(thresholds: Thresholds) -> str:
    """`--max-load 0 --min-free-ram 2`: what to type to give them to a run."""
    return " ".join(f"{threshold.option} {threshold.shown(value)}" for threshold, value in given(thresholds))


def as_settings(thresholds: Thresholds | None) -> list[str]:
    """`governor.max_load_per_core 0`, as in the reason why a run waits."""
    return [f"{threshold.setting} {threshold.shown(value)}" for threshold, value in given(thresholds)]


def with_thresholds(limits: RunLimits, thresholds: Thresholds) -> RunLimits:
    values = {name: getattr(thresholds, name) for name in THRESHOLDS if getattr(thresholds, name) is not None}
    if values.get("max_parallel") == MACHINES_LIMIT:
        values["max_parallel"] = None
    return replace(limits, **values)


def after_start(thresholds: Thresholds) -> Thresholds:
    """Those of them that still matter to a run that has started."""
    return Thresholds(gpu_max_temp_celsius=thresholds.gpu_max_temp_celsius)


def former_thresholds(changed: Thresholds, limits: RunLimits) -> Thresholds:
    """Those that `changed` sets, with the values that they have in `limits`."""
    names = [name for name in THRESHOLDS if getattr(changed, name) is not None]
    values = {name: getattr(limits, name) for name in names}
    return Thresholds(**{name: MACHINES_LIMIT if value is None else value for name, value in values.items()})
