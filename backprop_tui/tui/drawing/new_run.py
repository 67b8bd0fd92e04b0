"""The lines of the New run dialog: completions, and what the fields come to."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.tui.drawing.lines import LineBuilder
from backprop_tui.tui.new_run.verdict import Verdict, sentence
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording.cells import clip
from backprop_tui.tui.wording.glyphs import Glyphs

_INDENT = " " * 13
_TAB = " tab completes"


def draw_completions(paths: Sequence[str], chosen: int | None, width: int, glyphs: Glyphs) -> Line:
    """As many as fit, the part they share left out; nothing where there are none."""
    if not paths:
        return ()
    built = LineBuilder().put(_INDENT)
    room = len(_INDENT) + width - len(_TAB)
    first = 0 if chosen is None else max(0, chosen - 2)
    for place in range(first, len(paths)):
        stem = paths[place].rstrip("/").rpartition("/")[0]
        name = paths[place][len(stem) + 1 :] if stem else paths[place]
        if built.column + len(name) + 2 > room:
            if place == first:
                built.put(clip(name, room - built.column - 2, glyphs))
            else:
                built.put(glyphs.clipped, Token.MUTED)
            break
        built.put(f" {name} ", Token.FG if place == chosen else Token.MUTED, chosen=place == chosen)
    return built.put(" tab", Token.ACCENT, bold=True).put(" completes", Token.MUTED).line()


def draw_live(
    *, same: str, verdict: Verdict | None, refusal: str, said: tuple[str, str], width: int, glyphs: Glyphs
) -> list[Line]:
    """Python, shell line, verdict; `said` is what went wrong, or what was done."""
    room = width - len(_INDENT)

    def row(label: str, words: str, token: Token, *, bold: bool = False) -> Line:
        return Piece(f"{label:<13}", Token.MUTED), Piece(clip(words, room, glyphs), token, bold=bold)

    error, done = said
    last: Line = ()
    if error:
        last = (Piece(clip(f"{glyphs.state('failed')} {error}", width, glyphs), Token.BAD, bold=True),)
    elif done:
        last = (Piece(clip(done, width, glyphs), Token.OK),)
    python = "" if verdict is None or verdict.python is None else verdict.python
    return [
        (),
        row("python", python, Token.FG),
        row("same as", same, Token.FG),
        _verdict(verdict, refusal, room, glyphs) if same or refusal else row("verdict", "", Token.MUTED),
        last,
    ]


def _verdict(verdict: Verdict | None, refusal: str, room: int, glyphs: Glyphs) -> Line:
    label = Piece(f"{'verdict':<13}", Token.MUTED)
    if refusal:
        return label, Piece(clip(refusal, room, glyphs), Token.WARN)
    if verdict is None:
        return label, Piece(clip(f"asking the governor {glyphs.clipped}", room, glyphs), Token.MUTED)
    held = verdict.starts == 0
    glyph, token = (glyphs.state("held"), Token.INFO) if held else (glyphs.state("done"), Token.OK)
    return label, Piece(clip(f"{glyph} {sentence(verdict)}", room, glyphs), token, bold=True)
