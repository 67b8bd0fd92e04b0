"""`--until step=10000`, `--until 'loss<0.1'`: what a run has to reach, after which it is ended."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence

from backprop_tui.domain.values import dataclass

# A longer sign before the one it begins with.
COMPARATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
COUNTS = frozenset({"step", "epoch"})  # they only grow, and a log may leave some out
MOST_NAMED = 4  # metrics in a sentence
_CONDITION = re.compile(r"\s*(?P<name>[^<>=]*[^<>=\s])\s*(?P<sign><=|>=|==|<|>|=)\s*(?P<value>[^<>=\s]+)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """A condition on the step, the epoch or a metric, by the name it is printed with."""

    name: str
    sign: str  # a key of COMPARATORS
    value: float

    def __str__(self) -> str:
        return f"{self.name}{self.sign}{repr(self.value).removesuffix('.0')}"

    def reached(self, *, step: int | None, epoch: float | None, metrics: Mapping[str, float]) -> str | None:
        """What was reached, in words, by figures that were printed just now; None where it was not. NaN never is."""
        figure = metrics.get(self.name)
        if self.name in COUNTS:
            count = step if self.name == "step" else epoch
            figure = figure if count is None else float(count)
        # step=10000 is reached by 10,050, too, where the log tells each fiftieth step alone.
        sign = ">=" if self.name in COUNTS and self.sign == "=" else self.sign
        if figure is None or math.isnan(figure) or not COMPARATORS[sign](figure, self.value):
            return None
        if self.name in COUNTS:
            return f"{self.name} {self.value:,.15g} reached"
        return f"{self.name} {figure:.6g} reached ({self})"


def never_told(goals: Sequence[Until], metrics: Mapping[str, float]) -> str | None:
    """That a metric a run has to reach is not among those it printed, which may be called otherwise; None where not."""
    missing = [goal.name for goal in goals if goal.name not in COUNTS and goal.name not in metrics]
    if not missing or not metrics:
        return None
    return f"{missing[0]} was not printed yet, but {', '.join(list(metrics)[:MOST_NAMED])}"


def parse_until(text: str) -> Until:
    """The condition that a text says.

    Raises:
        ValueError: it says none; the message says what is wrong and what would do.
    """
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise ValueError("a name, one of < <= > >= = and a number are wanted, such as step=10000 or 'loss<0.1'")
    try:
        value = float(found["value"])
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in found["value"]:
        raise ValueError(f"{found['value']} is not a number; such as step=10000 or 'loss<0.1'")
    name, sign = found["name"], found["sign"].replace("==", "=")
    if name.lower() in COUNTS:
        name = name.lower()
        if sign in ("<", "<="):
            raise ValueError(f"the {name} only grows, so that this holds at once; use {name}={found['value']}")
        if value <= 0:
            raise ValueError(f"the {name} must be above 0")
    return Until(name=name, sign=sign, value=value)
