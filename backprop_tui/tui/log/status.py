"""The last row of a log: where it stands, how much there is, how fresh it is, and what a search found."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation import durations, numbers
from backprop_tui.tui.cells import clip, clip_middle
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.log.page import Page, SearchState
from backprop_tui.tui.tokens import Line, Piece, Token

_EXACT_SECONDS, _STEP_SECONDS = 10, 5  # so that it does not change each second for nothing

Part = tuple[Piece, ...]


def draw_status(page: Page, width: int, glyphs: Glyphs) -> Line:
    """As many parts as fit, the most telling first."""
    line: list[Piece] = [Piece(" ")]
    room = width - 1
    for place, part in enumerate(_parts(page, width, glyphs)):
        gap = "  " if place else ""
        size = sum(cell_len(piece.text) for piece in part) + len(gap)
        if size > room:
            if place == 0:
                line += [Piece(clip("".join(piece.text for piece in part), room, glyphs), part[0].token)]
            break
        line += [Piece(gap), *part]
        room -= size
    return tuple(line)


def draw_question(expression: str, width: int, glyphs: Glyphs) -> Line:
    """The line in which a search is typed: its end is always to be seen."""
    room = width - 4
    shown = expression if cell_len(expression) <= room else expression[-room:]
    hint = "  enter searches, esc leaves, capitals matter where there are some"
    typed = (Piece(" /", Token.ACCENT, bold=True), Piece(shown), Piece(" ", chosen=True))
    return (*typed, Piece(clip(hint, width - 3 - cell_len(shown), glyphs), Token.MUTED))


def _parts(page: Page, width: int, glyphs: Glyphs) -> Iterator[Part]:
    if page.problem is not None:
        path = clip_middle(sanitize(page.path or ""), max(8, width - len(page.problem) - 6), glyphs)
        yield (Piece(f"{page.problem}", Token.WARN), Piece(f"  {path}", Token.MUTED))
        return
    if page.path is None:
        yield (Piece("no log yet", Token.MUTED),)
        return
    if not page.is_read:
        return
    if not page.size:
        yield (Piece("nothing printed yet" if page.live else "nothing was printed", Token.MUTED),)
        return
    yield from _place(page, glyphs)
    if page.search is not None:
        yield from _search(page.search)
    if page.seeking:
        yield (Piece("searching", Token.INFO), Piece(" esc stops", Token.MUTED))
    elif page.note:
        yield (Piece(page.note, Token.WARN),)
    yield from _figures(page)


def _place(page: Page, glyphs: Glyphs) -> Iterator[Part]:
    """Where it stands."""
    stands = glyphs.state("stopped")
    if page.following:
        yield (Piece(f"{glyphs.following} following", Token.OK),) if page.live else (Piece(f"{stands} at the end"),)
        yield (Piece(f"line {_number(page.total, page)}", Token.MUTED),)
    elif page.hit is not None:
        where = f"at line {_number(page.hit_number, page)}"
        of = "" if page.total is None or page.hit_number is None else f" of {numbers.count(page.total)}"
        yield (Piece(f"{stands} {where}{of}"),)
    elif page.first is None:
        share = page.rows[0].start / page.size if page.rows else 0.0
        yield (Piece(f"{stands} at {share * 100:.0f} %, {_number(None, page)} lines"),)
    else:
        below = "" if page.total is None or page.last is None else f", {page.total - page.last:,} below"
        yield (Piece(f"{stands} at line {numbers.count(page.first)}{below}"),)


def _search(search: SearchState) -> Iterator[Part]:
    expression = Piece(f"/{sanitize(search.expression)}", Token.ACCENT)
    if search.problem is not None:
        yield (expression, Piece(f"  no regular expression: {search.problem}", Token.WARN))
        return
    count = numbers.count(search.count)
    found = count if search.ordinal is None else f"{numbers.count(search.ordinal)} of {count}"
    more = "" if search.share is None else f" after {search.share * 100:.0f} %"
    yield (expression, Piece(f" {found}{more}", Token.FG if search.count else Token.WARN))
    yield (Piece("n", Token.ACCENT, bold=True), Piece(" next", Token.MUTED))


def _figures(page: Page) -> Iterator[Part]:
    if page.following:
        yield (Piece(numbers.size(page.size), Token.MUTED),)
    if page.usual_seconds is not None:
        usual = f"{page.usual_seconds:.1f} s"
        yield (Piece(f"quiet for {durations.elapsed(page.written_seconds)}, usually {usual}", Token.WARN),)
    elif page.following and page.written_seconds is not None:
        yield (Piece(f"written {durations.ago(_coarse(page.written_seconds))}", Token.MUTED),)
    if page.hit is not None:
        yield (Piece("!", Token.ACCENT, bold=True), Piece(" next error", Token.MUTED))
    if not page.following:
        word = " follows" if page.live else " to the end"
        yield (Piece("f", Token.ACCENT, bold=True), Piece(word, Token.MUTED))


def _number(value: int | None, page: Page) -> str:
    """A line number, or how far the counting is."""
    return f"counting {page.counted * 100:.0f} %" if value is None else numbers.count(value)


def _coarse(seconds: float) -> float:
    return seconds if seconds < _EXACT_SECONDS else seconds // _STEP_SECONDS * _STEP_SECONDS
