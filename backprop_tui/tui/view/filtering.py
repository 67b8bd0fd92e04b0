"""The filter of the runs: a regular expression, and words such as `state:failed gpu:1 tag:x` that narrow it."""

from __future__ import annotations

import re
from dataclasses import field

from backprop_tui.domain.values import dataclass
from backprop_tui.tui.snapshot import KnownRun

_NARROWING = re.compile(r"(?:^|\s)(state|gpu|tag):(\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """`text` as it was typed; an expression that cannot be understood is looked for as it stands."""

    text: str = ""
    _narrowed: tuple[tuple[str, str], ...] = ()
    _pattern: re.Pattern[str] | None = field(default=None, compare=False)

    @classmethod
    def parse(cls, text: str) -> Filter:
        """What was typed."""
        narrowed = tuple((found[1], found[2].lower()) for found in _NARROWING.finditer(text))
        rest = _NARROWING.sub(" ", text).strip()
        return cls(text=text.strip(), _narrowed=narrowed, _pattern=_compiled(rest) if rest else None)

    def __bool__(self) -> bool:
        return bool(self.text)

    def matches(self, run: KnownRun, word: str) -> bool:
        """Whether the run is shown; `word` is that of its state."""
        record = run.record
        for key, wanted in self._narrowed:
            if key == "state" and wanted not in (word, str(record["status"])):
                return False
            if key == "tag" and wanted not in (str(tag).lower() for tag in record["tags"]):
                return False
            if key == "gpu" and wanted not in (str(gpu["index"]) for gpu in record.get("gpus") or ()):
                return False
        if self._pattern is None:
            return True
        fields = (record["name"], *record["tags"], record["group"] or "", word, " ".join(record["command"]))
        return any(self._pattern.search(str(one)) for one in fields)


def _compiled(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error:
        return re.compile(re.escape(text), re.IGNORECASE)
