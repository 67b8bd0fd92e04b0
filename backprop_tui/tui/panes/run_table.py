"""Draws the runs list: the heading with the names of the columns, and the rows."""

from __future__ import annotations

from dataclasses import replace

from rich.cells import cell_len

from backprop_tui.presentation.numbers import percent_done
from backprop_tui.presentation.run_line import RunLine, Tone
from backprop_tui.tui.cells import clip, joined_clauses, left, right
from backprop_tui.tui.glyphs import Glyphs, bar, trend
from backprop_tui.tui.lines import LineBuilder, heading, width_of
from backprop_tui.tui.panes.run_columns import MARGIN, RunColumns
from backprop_tui.tui.panes.run_list import OLDER, RunListView
from backprop_tui.tui.panes.run_order import NEWEST, SORTS
from backprop_tui.tui.panes.run_rows import GroupSummary, RunRow
from backprop_tui.tui.tokens import STATE_TOKENS, TONE_TOKENS, Line, Piece, Token


def draw_runs_heading(view: RunListView, columns: RunColumns, glyphs: Glyphs, *, focused: bool) -> Line:
    """A rule with the title, the counts and the names of the columns; the sorted one is highlighted."""
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
        is_sorted = view.sort is not None and view.sort.key == word
        parts.append((column, [Piece(word, Token.ACCENT if is_sorted else Token.MUTED, bold=is_sorted)]))
    return heading(parts, columns.width, glyphs, focused=focused)


def column_heads(columns: RunColumns, *, title_width: int) -> list[tuple[str, int]]:
    """The heading of each column and its place, without those that the title leaves no room for."""
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


def head_at(view: RunListView, columns: RunColumns, column: int) -> str | None:
    """The heading at a column, where the rows can be sorted by it."""
    title = 4 + (min(20, len(view.filter)) + 2 if view.filter else 0) + len(f" {view.shown}/{view.total}")
    heads = column_heads(columns, title_width=title)
    return next((word for word, at in heads if word in SORTS and at <= column < at + len(word)), None)


def draw_run(row: RunRow, columns: RunColumns, glyphs: Glyphs, *, cursor: bool) -> Line:
    """The row of a run or of a group."""
    builder = LineBuilder()
    builder.put(glyphs.cursor if cursor else " ", Token.ACCENT)
    builder.put(glyphs.mark if row.marked else " ", Token.ACCENT)
    if row.run_id == OLDER:
        return builder.at(columns.name_at).put(f"{glyphs.clipped} {row.name}", Token.MUTED).line()
    if row.group is not None:
        return _group_line(builder, row, row.group, columns, glyphs)
    builder.put(f"{glyphs.state(row.state)} ", row.token).put(left(row.state, 10, glyphs), row.token)
    indent = "  " if row.member else ""
    name = left(indent + row.name, columns.name, glyphs)
    builder.put(name, Token.MUTED if row.dim else Token.FG, bold=row.bold or cursor).put(" ")
    builder.put(left(row.gpu, columns.gpu, glyphs), Token.MUTED if row.waiting else Token.FG)
    if not columns.loss:
        return builder.line()
    if row.has_progress and row.line is None:
        _all_columns(builder, row, columns, glyphs)
    elif row.has_progress:
        _progress_and_line(builder, row, columns, glyphs)
    else:
        _line_row(builder, row, columns, glyphs)
    return builder.line()


def _all_columns(builder: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    _progress(builder, row, columns, glyphs)
    _step_and_loss(builder, row, columns, glyphs)
    if columns.trend:
        curve = trend(row.trend, columns.trend, glyphs.curves)
        builder.at(columns.trend_at).put(curve, Token.ACCENT)
    _time(builder, row, columns, glyphs)


def _progress(builder: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    if columns.bar:
        filled, track = bar(row.progress, columns.bar, glyphs)
        builder.put(filled, row.token).put(track, Token.FAINT)
    done = percent_done(row.progress)
    builder.put(f"{done:>5}", Token.MUTED if row.progress is None else Token.FG)


def _step_and_loss(builder: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    if columns.step:
        fits = len(row.step) < columns.step
        builder.put(right(row.step if fits else "", columns.step, glyphs))
    if columns.loss:
        builder.put(right(row.loss, columns.loss, glyphs), row.loss_token, bold=True)


def _time(builder: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    if columns.timebox and row.timebox is not None:
        filled, track = bar(row.timebox, columns.timebox, glyphs)
        builder.at(columns.timebox_at).put(filled, Token.VIOLET).put(track, Token.FAINT)
    if columns.left:
        builder.at(columns.left_at).put(right(row.left, columns.left, glyphs))
    if columns.eta:
        eta = Token.WARN if row.eta_warns else Token.MUTED
        builder.at(columns.eta_at).put(right(row.eta, columns.eta, glyphs), eta)
    if columns.saved:
        builder.at(columns.saved_at).put(right(row.saved, columns.saved, glyphs), Token.MUTED)
    if columns.slice:
        builder.at(columns.slice_at).put(right(row.slice, columns.slice, glyphs), Token.VIOLET)
    if columns.tags:
        builder.at(columns.tags_at).put(clip(row.tags, columns.tags, glyphs), Token.MUTED)


def _progress_and_line(builder: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    """For a paused or stopping run: its progress, then the reason."""
    _progress(builder, row, columns, glyphs)
    if not columns.bar or columns.line_from_step or not columns.trend:
        builder.put("  ")
    else:
        _step_and_loss(builder, row, columns, glyphs)
        builder.at(columns.trend_at)
    if row.line is not None:
        _put_line(builder, row.line, columns.width - MARGIN - builder.column, glyphs)


def _line_row(builder: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    builder.at(columns.progress_at)
    has_time = bool(row.left or row.timebox is not None)
    end = (
        (columns.timebox_at if columns.timebox else columns.left_at)
        if has_time and columns.left
        else columns.width - MARGIN
    )
    run_end = row.end if columns.width >= 100 else ""
    room = end - builder.column - (len(run_end) + 2 if run_end else 0)
    if row.line is not None:
        _put_line(builder, replace(row.line, tone=Tone.MUTED) if row.dim else row.line, room, glyphs)
    if run_end:
        builder.at(columns.width - MARGIN - len(run_end)).put(run_end, Token.MUTED)
    elif has_time:
        _time(builder, row, columns, glyphs)


def _put_line(builder: LineBuilder, line: RunLine, room: int, glyphs: Glyphs) -> None:
    text, more = joined_clauses(line.clauses, room, glyphs)
    builder.put(text, TONE_TOKENS[line.tone]).put(f"  {more}" if more else "", Token.MUTED)


def _group_line(builder: LineBuilder, row: RunRow, group: GroupSummary, columns: RunColumns, glyphs: Glyphs) -> Line:
    builder.put(f"{glyphs.group_shut if group.folded else glyphs.group_open} ").put(
        left("group", 10, glyphs), Token.MUTED
    )
    builder.put(left(row.name, columns.name, glyphs), bold=True).put(" ")
    if columns.width - builder.column < 24:
        return builder.line()
    builder.put(f"{group.size} runs ", Token.MUTED)
    for state, count in group.counts:
        builder.put(f" {glyphs.state(state)} ", STATE_TOKENS.get(state, Token.FG)).put(str(count))
    if group.best and columns.width - builder.column > len(group.best) + 9:
        builder.put("   best ", Token.MUTED).put(group.best)
        room = columns.width - builder.column - 3
        builder.put(f"  {group.best_name}" if cell_len(group.best_name) <= room else "", Token.MUTED)
    return builder.line()
