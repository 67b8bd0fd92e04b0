"""The digest: the time, what went wrong with its cause and advice, everything else, the keys."""

from __future__ import annotations

from rich.cells import cell_len

from backprop_tui.tui.drawing.lines import LineBuilder
from backprop_tui.tui.view.digest import DigestRow, DigestView
from backprop_tui.tui.view.states import DONE, TOKENS, WAITING
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording.cells import clip, left, wrapped
from backprop_tui.tui.wording.glyphs import Glyphs

_WORD = 12
_SUBJECT_LEAST, _SUBJECT_MOST = 12, 24
_WORDS = {WAITING: "waited"}


def draw_digest(view: DigestView, width: int, glyphs: Glyphs) -> list[Line]:
    """Everything but the keys; long stories are wrapped, names clipped."""
    every = [*view.failures, *view.rows]
    longest = max((cell_len(one.subject) for one in every), default=0)
    subject = max(_SUBJECT_LEAST, min(_SUBJECT_MOST, longest, width // 3)) + 2
    lines: list[Line] = [(Piece(f" {view.when}", Token.MUTED),), ()]
    if not every:
        lines.append((Piece(" Nothing ended, nothing was paused.", Token.MUTED),))
    for rows in (view.failures, view.rows):
        for one in rows:
            lines += _row(one, width, subject, glyphs)
        if rows:
            lines.append(())
    return lines[:-1] if every else lines


def _row(row: DigestRow, width: int, subject: int, glyphs: Glyphs) -> list[Line]:
    token = Token.OK if row.word == DONE else TOKENS.get(row.word, Token.MUTED)
    beside = 1 + _WORD + subject
    stories = wrapped(row.story, max(12, width - beside - 1))
    built = LineBuilder().put(f" {glyphs.state(row.word)} ", token)
    built.put(_WORDS.get(row.word, row.word), token, bold=True).at(1 + _WORD)
    built.put(left(row.subject, subject - 2, glyphs), bold=True).at(beside)
    built.put(clip(stories[0], width - beside - 1, glyphs))
    lines: list[Line] = [built.line()]
    lines += [(Piece(" " * beside + clip(one.strip(), width - beside - 1, glyphs)),) for one in stories[1:]]
    if row.advice is not None:
        advice = wrapped(f"advice: {row.advice}", max(12, width - _WORD - 2))
        lines += [(Piece(" " * (1 + _WORD) + one, Token.MUTED),) for one in advice]
    return lines


def digest_keys(view: DigestView) -> list[tuple[str, str]]:
    """Key and what it does."""
    keys = [("enter", "look at the first failure")] if view.first_failure is not None else []
    keys += [("R", f"retry what a retry can help ({len(view.retry)})")] if view.retry else []
    return [*keys, ("esc", "close")]


def draw_digest_keys(view: DigestView, width: int, *, scrolls: bool) -> Line:
    """The row of keys."""
    built = LineBuilder().put(" ")
    keys = digest_keys(view)
    if scrolls:
        keys.insert(-1, ("j k", "scroll"))
    for key, words in keys:
        fits = built.column == 1 or built.column + len(key) + len(words) + 2 <= width
        said = words if fits else words.split(" ")[0]
        built.put(key, Token.ACCENT, bold=True).put(f" {said}", Token.MUTED).put("    " if width >= 80 else "  ")
    return built.line()
