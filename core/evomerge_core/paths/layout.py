"""A path as text: `A0-3 B4x0.93 A4-12 A12 again A14-29; never: A13`."""

from __future__ import annotations

from dataclasses import dataclass

from evomerge_core.paths.path import Hop, Path, Pool


@dataclass(frozen=True)
class Run:
    """Hops that go straight through consecutive layers of one model, each layer for the first time (`again`: not so).

    `scales` are the hops' scales, one each.
    """

    source: int
    first: int
    last: int
    again: bool
    scales: tuple[float, ...]


def runs(path: Path) -> tuple[Run, ...]:
    """The path as runs, in order. A hop with a scale is a run of its own."""
    found: list[Run] = []
    seen: set[tuple[int, int]] = set()
    for hop in path.hops:
        again = (hop.source, hop.layer) in seen
        seen.add((hop.source, hop.layer))
        if found and _goes_on(found[-1], hop, again):
            last = found.pop()
            found.append(Run(last.source, last.first, hop.layer, again, (*last.scales, hop.scale)))
        else:
            found.append(Run(hop.source, hop.layer, hop.layer, again, (hop.scale,)))
    return tuple(found)


def never_visited(path: Path, pool: Pool) -> tuple[int, ...]:
    """A's layers that the path leaves out."""
    visited = {hop.layer for hop in path.hops if hop.source == 0}
    return tuple(layer for layer in range(pool.layers) if layer not in visited)


def lay_out(path: Path, pool: Pool) -> str:
    """The path in one line, models as letters: what follows what, what comes again, which scales, what of A is left out."""
    text = " ".join(_shown(run, pool) for run in runs(path))
    left_out = " ".join(_range(0, span, pool) for span in _spans(never_visited(path, pool)))
    return f"{text}; never: {left_out}" if left_out else text


def _goes_on(run: Run, hop: Hop, again: bool) -> bool:
    plain = run.scales[-1] == 1.0 and hop.scale == 1.0
    return plain and (run.source, run.last + 1, run.again) == (hop.source, hop.layer, again)


def _shown(run: Run, pool: Pool) -> str:
    scale = "" if run.scales[0] == 1.0 else f"x{run.scales[0]:.2f}"
    again = " again" if run.again else ""
    return _range(run.source, (run.first, run.last), pool) + scale + again


def _range(source: int, span: tuple[int, int], pool: Pool) -> str:
    first, last = span
    return pool.letter(source) + (f"{first}" if first == last else f"{first}-{last}")


def _spans(layers: tuple[int, ...]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for layer in layers:
        if spans and spans[-1][1] == layer - 1:
            spans[-1] = (spans[-1][0], layer)
        else:
            spans.append((layer, layer))
    return spans
