"""Goals of a run (`--until step=10000`, `--until 'loss<0.1'`): it is stopped when it reaches one."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

# Longer operators come before their prefixes.
COMPARATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
COUNTERS = frozenset({"step", "epoch"})  # they only grow, and a log may skip values
MAX_LISTED_METRICS = 4
_CONDITION = r"\s*(?P<name>[^<>=]*[^<>=\s])\s*(?P<sign><=|>=|==|<|>|=)\s*(?P<value>[^<>=\s]+)\s*"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A condition on the step, the epoch or a metric, by the name under which the script prints it."""

    name: str
    sign: str  # a key of COMPARATORS
    value: float

    def __str__(self) -> str:
        return f"{self.name}{self.sign}{repr(self.value).removesuffix('.0')}"

    def reached(self, *, step: int | None, epoch: float | None, metrics: Mapping[str, float]) -> str | None:
        """Returns a description if the values just printed reach the goal, otherwise None; NaN never reaches one."""
        number = metrics.get(self.name)
        if self.name in COUNTERS:
            count = step if self.name == "step" else epoch
            number = number if count is None else float(count)
        # 10,050 reaches step=10000, too: the log may print only every fiftieth step.
        sign = ">=" if self.name in COUNTERS and self.sign == "=" else self.sign
        if number is None or math.isnan(number) or not COMPARATORS[sign](number, self.value):
            return None
        if self.name in COUNTERS:
            return f"{self.name} {self.value:,.15g} reached"
        return f"{self.name} {number:.6g} reached ({self})"


def unreported_metric(goals: Sequence[Goal], metrics: Mapping[str, float]) -> str | None:
    """Returns a hint if the metric of a goal is not among those printed, perhaps for another spelling; else None."""
    missing = [goal.name for goal in goals if goal.name not in COUNTERS and goal.name not in metrics]
    if not missing or not metrics:
        return None
    return not_printed(missing[0], metrics)


def not_printed(name: str, printed: Iterable[str]) -> str:
    return f"{name} was not printed yet, only {', '.join(list(printed)[:MAX_LISTED_METRICS])}"


def parse_goal(text: str) -> Goal:
    """Parses a goal; raises ValueError with a message that says what is wrong and gives an example."""
    match = re.fullmatch(_CONDITION, text)
    if match is None:
        raise ValueError("write a name, one of < <= > >= = and a number, such as step=10000 or 'loss<0.1'")
    try:
        value = float(match["value"])
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in match["value"]:
        raise ValueError(f"{match['value']:.40} is not a number; examples: step=10000, 'loss<0.1'")
    name, sign = match["name"], match["sign"].replace("==", "=")
    if name.lower() in COUNTERS:
        name = name.lower()
        if sign in ("<", "<="):
            raise ValueError(f"the {name} only grows, so this holds from the start; use {name}={match['value']}")
        if value <= 0:
            raise ValueError(f"the {name} must be above 0")
    return Goal(name=name, sign=sign, value=value)
