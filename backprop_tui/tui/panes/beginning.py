"""The runs list while it has no rows: how to start, and what was found on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation import numbers
from backprop_tui.presentation.machine import SIMULATED
from backprop_tui.tui.cells import joined_clauses, wrapped
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.tokens import Line, Piece, Token

_KEY = 8
_SHELL = "backprop-tui run train.py -m 60 -- --lr 3e-4"
_NO_CHANGE = "Your script needs no changes: steps, losses and checkpoints are read from its output."


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class BeginningView:
    """`ways` are keys with what they do; `checked` is empty before the first readings."""

    ways: Sequence[tuple[str, str]]
    checked: Sequence[str]


def beginning_view(snapshot: Snapshot, *, example: bool) -> BeginningView | None:
    """None where there are runs; `example` says whether the example script is installed."""
    if not snapshot.is_beginning:
        return None
    ways = [("n", "run your own script; or paste a command line here, or drop a script on this window")]
    if example:
        ways.append(("e", "try the shipped example: 2 minutes, any CPU, a real loss curve"))
    ways.append(("d", "see the demo: simulated GPUs, real example runs, clearly labelled"))
    return BeginningView(ways=tuple(ways), checked=tuple(_checked(snapshot)))


def _checked(snapshot: Snapshot) -> list[str]:
    sample = snapshot.sample
    if sample is None:
        return []
    readings = sample.readings
    gpus = len(readings.gpus)
    checks = [_gpus(gpus, readings.probe) if gpus else "no GPU, runs use the CPU"]
    disk = readings.host.disk_free_bytes
    checks += [] if disk is None else [f"{numbers.size(disk)} disk free"]
    logout = snapshot.logout
    if logout is not None:
        fate = "runs survive logout" if logout.survives else "logout ends runs"
        checks.append(f"{fate} ({logout.reason})")
    return checks


def _gpus(count: int, probe: str) -> str:
    return counted(count, "simulated GPU") if probe == SIMULATED else f"{counted(count, 'GPU')} by {sanitize(probe)}"


def draw_beginning(view: BeginningView, width: int, glyphs: Glyphs) -> list[Line]:
    indent = " " * max(1, min(18, width // 16))
    room = width - len(indent) - 1
    lines: list[Line] = [(), (Piece(f"{indent}No runs yet. Three ways to start:", bold=True),), ()]
    for key, text in view.ways:
        for place, row in enumerate(wrapped(text, room - _KEY)):
            lines.append(
                (Piece(indent + f"{'' if place else key:<{_KEY}}", Token.ACCENT, bold=True), Piece(row.strip()))
            )
    lines.append(())
    if room < len(_SHELL) + 14:
        lines += [(Piece(f"{indent}From a shell:", Token.MUTED),), (Piece(f"{indent}{_SHELL}"),)]
    else:
        lines.append((Piece(f"{indent}From a shell:  ", Token.MUTED), Piece(_SHELL)))
    lines += [(Piece(indent + row.strip(), Token.MUTED),) for row in wrapped(_NO_CHANGE, room)]
    if view.checked:
        text, _ = joined_clauses([*view.checked, "backprop-tui doctor checks more"], room - 9, glyphs)
        lines += [(), (Piece(f"{indent}Checked: {text}", Token.MUTED),)]
    return lines


def draw_no_match(expression: str, width: int) -> list[Line]:
    """The list while no run matches the filter."""
    indent = " " * max(1, min(18, width // 16))
    message = Piece(f"{indent}No matching runs for /{expression}. ", Token.MUTED)
    return [(), (message, Piece("esc", Token.ACCENT, bold=True), Piece(" clears the filter.", Token.MUTED))]
