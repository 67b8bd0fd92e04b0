"""The meanings of states, marks and words, with their glyphs: for the help page and the command palette."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.config.keys import KEYS
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.status import Status
from backprop_tui.presentation.glossary import GLOSSARY, Word, WordKind, asked_word, is_among
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import STATE_TOKENS, Token


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A word or mark of the screens; `also` are other words that find it. A `setting` is listed only in a search."""

    name: str
    text: str
    glyph: str = " "
    token: Token = Token.FG
    also: str = ""
    setting: bool = False

    def matches(self, search: str) -> bool:
        """A single character is a glyph; longer text is searched for everywhere, and settings need a search."""
        if len(search) <= 1:
            return not self.setting if not search else search == self.glyph
        text = f"{self.glyph} {self.name} {self.also} {self.text}".lower()
        return search.lower() in text or self.is_named(search)

    def is_named(self, search: str) -> bool:
        """Whether it is the word that is searched or asked for."""
        return is_among(asked_word(search), [self.name])


def glossary(glyphs: Glyphs) -> Iterator[Term]:
    """States, marks and terms, then the settings."""
    for word in GLOSSARY:
        glyph, token = _sign(word, glyphs)
        yield Term(name=word.name, text=word.on_screen, glyph=glyph, token=token, also=word.also)
    for key in KEYS.values():
        yield Term(name=key.name, text=key.help, also=f"setting {key.synonyms}", setting=True)


def _sign(word: Word, glyphs: Glyphs) -> tuple[str, Token]:
    """The glyph of a word, a blank if it has none, and its color."""
    match word.kind:
        case WordKind.STATE:
            return glyphs.state(word.symbol), STATE_TOKENS[Status(word.symbol)]
        case WordKind.QUEUE:
            return glyphs.state(word.symbol), Token.OK if word.symbol == "open" else Token.WARN
        case WordKind.MARK:
            return str(getattr(glyphs, word.symbol)), Token.ACCENT
        case _:
            return word.symbol or " ", Token.FG
