"""What tells runs apart: their arguments, figures and times, and the label made of these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from backprop_tui.domain.arguments import POSITIONAL, has_path, named_values, varying
from backprop_tui.domain.formatting import time_or_none
from backprop_tui.domain.run_names import split_point
from backprop_tui.domain.status import ENDED
from backprop_tui.presentation.compare import member_names
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.objective import best_of_run
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.option_table import argument_words

_LABEL_ARGUMENTS = 4  # more would push the figures out of every row
_NO_ARGUMENTS: Mapping[str, str] = MappingProxyType({})
_MAX_KEPT = 1 << 15
_settings: dict[int, tuple[JsonObject, Mapping[str, str]]] = {}  # asked for again and again while somebody filters


def settings_of(record: JsonObject) -> Mapping[str, str]:
    """The named arguments of the script, without dashes: `lr` is 3e-4 for `--lr 3e-4`, `--lr=3e-4` and `lr=3e-4`."""
    known = _settings.get(id(record))
    if known is not None and known[0] is record:
        return known[1]
    settings = _without_dashes(tuple(argument_words(record)))
    if len(_settings) >= _MAX_KEPT:
        _settings.clear()
    _settings[id(record)] = record, settings
    return settings


@lru_cache(maxsize=_MAX_KEPT)
def _without_dashes(words: tuple[str, ...]) -> Mapping[str, str]:
    return {name.strip("-"): value for name, value in named_values(words).items() if not name.startswith(POSITIONAL)}


def varying_settings(runs: Iterable[KnownRun]) -> list[str]:
    return varying([settings_of(run.record) for run in runs])


def alike_in_all(runs: Iterable[KnownRun], words: Collection[str]) -> Mapping[str, str]:
    """The arguments that all of these runs have alike, of those that are among these words: `lr=1e-3`."""
    alike: Mapping[str, str] | None = None
    for run in runs:
        arguments = settings_of(run.record)
        if alike is None:
            alike = {name: value for name, value in arguments.items() if f"{name}={value}" in words}
        elif not alike.items() <= arguments.items():
            alike = {name: value for name, value in alike.items() if arguments.get(name) == value}
        if not alike:
            break
    return alike or _NO_ARGUMENTS


def without_words(label: str, words: Collection[str]) -> str:
    """A label without some of its arguments; the label itself if nothing is left."""
    return " ".join(word for word in label.split(" ") if word not in words) or label if words else label


def started_at(record: JsonObject) -> float | None:
    """When the run started, or was queued if it never started."""
    return time_or_none(record.get("started_at")) or time_or_none(record.get("created_at"))


def metric_value(record: JsonObject, name: str) -> float | None:
    """The last value of a metric, which may be NaN or infinite."""
    value = (record.get("metrics") or {}).get(name)
    return None if value is None else float(value)


def best_value(record: JsonObject, name: str) -> float | None:
    """The best value of a metric, if it is known which direction is better."""
    best = (record.get("best") or {}).get(name)
    return None if best is None else float(best["value"])


def objective_best(record: JsonObject) -> float | None:
    """The best value of the run's own objective."""
    best = best_of_run(record)
    return None if best is None else best[1].value


def with_labels(runs: Sequence[KnownRun]) -> list[KnownRun]:
    """The runs, those that share a name labeled by the arguments that tell them apart: `train lr=1e-3`.

    A run of a group is compared with that group, whose name says the rest, unless it is alone there.
    """
    namesakes: dict[Hashable, list[KnownRun]] = {}
    members = Counter(run.record.get("group") for run in runs)
    keys = [(run.name, group if members[group := run.record.get("group")] > 1 else None) for run in runs]
    for run, key in zip(runs, keys, strict=True):
        namesakes.setdefault(key, []).append(run)
    telling = {key: _telling_arguments(same) for key, same in namesakes.items() if len(same) > 1}
    return _with_short_labels([_labeled(run, telling.get(key, ())) for run, key in zip(runs, keys, strict=True)])


def _telling_arguments(runs: Sequence[KnownRun]) -> list[str]:
    """The arguments that differ between the runs; paths are left out if the others tell as many of them apart."""
    settings = list({id(of_run): of_run for of_run in (settings_of(run.record) for run in runs)}.values())
    names = varying(settings)
    short = [name for name in names if not has_path(of_run.get(name) for of_run in settings)]
    return short if _count_different(settings, short) == _count_different(settings, names) else names


def _count_different(settings: Iterable[Mapping[str, str]], names: Sequence[str]) -> int:
    return len({tuple(map(of_run.get, names)) for of_run in settings})


def _with_short_labels(runs: Sequence[KnownRun]) -> list[KnownRun]:
    labels: dict[str, dict[str, str]] = {}
    for run in runs:
        if run.status not in ENDED:
            labels.setdefault(split_point(run.name)[0], {})[run.id] = run.label
    short: dict[str, str] = {}
    for by_id in labels.values():
        short |= zip(by_id, member_names(list(by_id.values())), strict=True)
    return [replace(run, short=short[run.id]) if run.short != short.get(run.id, run.short) else run for run in runs]


def _labeled(run: KnownRun, names: Sequence[str]) -> KnownRun:
    arguments = settings_of(run.record) if names else _NO_ARGUMENTS
    differing = tuple((name, arguments[name]) for name in names if name in arguments)[:_LABEL_ARGUMENTS]
    return run if differing == run.differing else replace(run, differing=differing)
