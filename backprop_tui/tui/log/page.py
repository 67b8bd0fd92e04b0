"""What a log shows at a moment: rows, and everything the status row tells."""

from __future__ import annotations

from backprop_tui.domain.values import dataclass
from backprop_tui.tui.log.rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchState:
    """A search that is on. `share` is how much of the file is searched, None when all is."""

    expression: str
    count: int = 0
    ordinal: int | None = None
    share: float | None = None
    problem: str | None = None  # no regular expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`path` None: there is no log. Line numbers are from 1, None while they are being counted."""

    path: str | None = None
    is_read: bool = False  # else nothing is known of it so far
    problem: str | None = None  # why it cannot be read
    size: int = 0
    rows: tuple[Row, ...] = ()
    live: bool = True  # more may be written
    following: bool = True
    wrap: bool = False
    hit: int | None = None  # where the line begins that was sought
    first: int | None = None  # number of the first row's line
    last: int | None = None
    hit_number: int | None = None
    total: int | None = None
    counted: float = 1.0  # share
    written_seconds: float | None = None  # ago
    usual_seconds: float | None = None  # between two writes, where it is quiet for longer than is usual
    search: SearchState | None = None
    seeking: bool = False
    note: str = ""
