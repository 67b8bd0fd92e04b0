"""The rows of the runs and the heading that names their columns."""

from __future__ import annotations

from dataclasses import replace

from rich.cells import cell_len

from backprop_tui.tui.drawing.lines import LineBuilder, heading, width_of
from backprop_tui.tui.drawing.run_columns import MARGIN, RunColumns
from backprop_tui.tui.view.run_row import GroupFacts, RunRow
from backprop_tui.tui.view.runs import OLDER, RunsView
from backprop_tui.tui.view.sentences import Sentence
from backprop_tui.tui.view.sorting import NEWEST, SORTS
from backprop_tui.tui.view.states import TOKENS
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording.bars import bar
from backprop_tui.tui.wording.cells import clip, joined_clauses, left, right
from backprop_tui.tui.wording.curves import trend
from backprop_tui.tui.wording.glyphs import Glyphs
from backprop_tui.tui.wording.numbers import percent_done


def draw_runs_heading(view: RunsView, columns: RunColumns, glyphs: Glyphs, *, focused: bool) -> Line:
    """Title, counts and the names of the columns, in a rule; that which the rows are sorted by stands out."""
    title = [Piece("Runs", Token.ACCENT if focused else Token.FG, bold=True)]
    if view.filter:
        title.append(Piece(f" /{clip(view.filter, 20, glyphs)}", Token.WARN))
    if not view.total:
        return heading([(2, title)], columns.width, glyphs, focused=focused)
    title.append(Piece(f" {view.shown}/{view.total}", Token.MUTED))
    if view.sort is not None and (view.sort.key == NEWEST or not columns.gpu):
        title.append(Piece(f" by {view.sort.key}", Token.ACCENT))
    parts = [(2, title)]
    for word, column in column_heads(columns, title_width=width_of(title)):
        chosen = view.sort is not None and view.sort.key == word
        parts.append((column, [Piece(word, Token.ACCENT if chosen else Token.MUTED, bold=chosen)]))
    return heading(parts, columns.width, glyphs, focused=focused)


def column_heads(columns: RunColumns, *, title_width: int) -> list[tuple[str, int]]:
    """The word over each column and where it begins; what the title leaves no room for is left out."""
    if not columns.gpu:
        return []
    name = max(15, columns.name_at + 1)
    heads = [("name", name)] if title_width + 3 < name else []
    heads += [("gpu", columns.gpu_at), ("progress", columns.progress_at)]
    heads += [("step", columns.loss_at - 4), ("loss", columns.loss_at + columns.loss - 4)]
    if columns.trend:
        heads.append(("trend", columns.trend_at))
    if columns.timebox:
        heads.append(("timebox", columns.left_at - 7))
    heads.append(("left", columns.left_at + columns.left - 4))
    if columns.eta:
        heads.append(("eta", columns.eta_at + columns.eta - 4))
    if columns.saved:
        heads.append(("saved", columns.saved_at + 3))
    if columns.slice:
        heads.append(("slice", columns.slice_at + 2))
    if columns.tags:
        heads.append(("tags", columns.tags_at))
    return heads


def head_at(view: RunsView, columns: RunColumns, column: int) -> str | None:
    """The word over a column that the rows can be sorted by."""
    title = 4 + (min(20, len(view.filter)) + 2 if view.filter else 0) + len(f" {view.shown}/{view.total}")
    heads = column_heads(columns, title_width=title)
    return next((word for word, at in heads if word in SORTS and at <= column < at + len(word)), None)


def draw_run(row: RunRow, columns: RunColumns, glyphs: Glyphs, *, cursor: bool) -> Line:
    """One row; a group's row tells of its members."""
    built = LineBuilder()
    built.put(glyphs.cursor if cursor else " ", Token.ACCENT)
    built.put(glyphs.mark if row.marked else " ", Token.ACCENT)
    if row.run_id == OLDER:
        return built.at(columns.name_at).put(f"{glyphs.clipped} {row.name}", Token.MUTED).line()
    if row.group is not None:
        return _group(built, row, row.group, columns, glyphs)
    built.put(f"{glyphs.state(row.word)} ", row.token).put(left(row.word, 10, glyphs), row.token)
    indent = "  " if row.member else ""
    name = left(indent + row.name, columns.name, glyphs)
    built.put(name, Token.MUTED if row.dim else Token.FG, bold=row.bold or cursor).put(" ")
    built.put(left(row.gpu, columns.gpu, glyphs), Token.MUTED if row.waiting else Token.FG)
    if not columns.loss:
        return built.line()
    if row.figures and row.sentence is None:
        _figures(built, row, columns, glyphs)
    elif row.figures:
        _figures_and_sentence(built, row, columns, glyphs)
    else:
        _sentence_row(built, row, columns, glyphs)
    return built.line()


def _figures(built: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    _progress(built, row, columns, glyphs)
    _step_and_loss(built, row, columns, glyphs)
    if columns.trend:
        curve = trend(row.trend, columns.trend, glyphs.curves)
        built.at(columns.trend_at).put(curve, Token.ACCENT)
    _time(built, row, columns, glyphs)


def _progress(built: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    if columns.bar:
        filled, track = bar(row.progress, columns.bar, glyphs)
        built.put(filled, row.token).put(track, Token.FAINT)
    done = percent_done(row.progress)
    built.put(f"{done:>5}", Token.MUTED if row.progress is None else Token.FG)


def _step_and_loss(built: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    if columns.step:
        fits = len(row.step) < columns.step
        built.put(right(row.step if fits else "", columns.step, glyphs))
    if columns.loss:
        built.put(right(row.loss, columns.loss, glyphs), row.loss_token, bold=True)


def _time(built: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    if columns.timebox and row.timebox is not None:
        filled, track = bar(row.timebox, columns.timebox, glyphs)
        built.at(columns.timebox_at).put(filled, Token.VIOLET).put(track, Token.FAINT)
    if columns.left:
        built.at(columns.left_at).put(right(row.left, columns.left, glyphs))
    if columns.eta:
        eta = Token.WARN if row.eta_warns else Token.MUTED
        built.at(columns.eta_at).put(right(row.eta, columns.eta, glyphs), eta)
    if columns.saved:
        built.at(columns.saved_at).put(right(row.saved, columns.saved, glyphs), Token.MUTED)
    if columns.slice:
        built.at(columns.slice_at).put(right(row.slice, columns.slice, glyphs), Token.VIOLET)
    if columns.tags:
        built.at(columns.tags_at).put(clip(row.tags, columns.tags, glyphs), Token.MUTED)


def _figures_and_sentence(built: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    """Paused and stopping: how far it is, then why it stands still."""
    _progress(built, row, columns, glyphs)
    if not columns.bar or columns.sentence_from_step or not columns.trend:
        built.put("  ")
    else:
        _step_and_loss(built, row, columns, glyphs)
        built.at(columns.trend_at)
    if row.sentence is not None:
        _say(built, row.sentence, columns.width - MARGIN - built.column, glyphs)


def _sentence_row(built: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    built.at(columns.progress_at)
    runs = bool(row.left or row.timebox is not None)
    end = (
        (columns.timebox_at if columns.timebox else columns.left_at)
        if runs and columns.left
        else columns.width - MARGIN
    )
    tail = row.tail if columns.width >= 100 else ""
    room = end - built.column - (len(tail) + 2 if tail else 0)
    if row.sentence is not None:
        _say(built, row.sentence if not row.dim else replace(row.sentence, token=Token.MUTED), room, glyphs)
    if tail:
        built.at(columns.width - MARGIN - len(tail)).put(tail, Token.MUTED)
    elif runs:
        _time(built, row, columns, glyphs)


def _say(built: LineBuilder, sentence: Sentence, room: int, glyphs: Glyphs) -> None:
    text, more = joined_clauses(sentence.clauses, room, glyphs)
    built.put(text, sentence.token).put(f"  {more}" if more else "", Token.MUTED)


def _group(built: LineBuilder, row: RunRow, group: GroupFacts, columns: RunColumns, glyphs: Glyphs) -> Line:
    built.put(f"{glyphs.group_shut if group.folded else glyphs.group_open} ").put(
        left("group", 10, glyphs), Token.MUTED
    )
    built.put(left(row.name, columns.name, glyphs), bold=True).put(" ")
    if columns.width - built.column < 24:
        return built.line()
    built.put(f"{group.size} runs ", Token.MUTED)
    for word, count in group.counts:
        built.put(f" {glyphs.state(word)} ", TOKENS.get(word, Token.FG)).put(str(count))
    if group.best and columns.width - built.column > len(group.best) + 9:
        built.put("   best ", Token.MUTED).put(group.best)
        room = columns.width - built.column - 3
        built.put(f"  {group.best_name}" if cell_len(group.best_name) <= room else "", Token.MUTED)
    return built.line()
