"""What fits on which card, as tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from evomerge_quant.planning.card_sizes.fits import CARDS_GB, ROW, SOURCES, CardFit, SizeFits


def fits_tables(sizes: Sequence[SizeFits]) -> tuple[Table, Table]:
    """Cards by sizes of models; RAM for merging by methods."""
    return _cards(sizes), _merging(sizes)


def _cards(sizes: Sequence[SizeFits]) -> Table:
    title = f"What candidates are scored in, and how many answers of {ROW.whole} tokens at a time; every method merges in RAM"
    table = Table("model", *(f"{card} GB" for card in CARDS_GB), title=title, title_justify="left", box=SIMPLE_HEAD)
    for size in sizes:
        table.add_row(size.size, *map(_cell, size.cards))
    return table


def _cell(fit: CardFit) -> str:
    return f"{fit.precision}, {fit.rows}" if fit.precision else "too small"


def _merging(sizes: Sequence[SizeFits]) -> Table:
    title = f"GB of RAM that merging takes with {SOURCES[-1]} sources (or all that a method takes), beside their files"
    table = Table("method", *(size.size for size in sizes), title=title, title_justify="left", box=SIMPLE_HEAD)
    by_row: dict[tuple[str, ...], list[str]] = {}
    for method in sizes[0].merging:
        by_row.setdefault(tuple(f"{size.merging[method][-1] / 1e9:.1f}" for size in sizes), []).append(method)
    for figures, methods in by_row.items():
        table.add_row("\n".join(methods), *figures)
    return table
