"""Small SVG pictures: shapes in a coordinate system, no library needed. Colours read on white and on black."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

INK, FAINT = "#6b7280", "#d1d5db"
FONT = "font-family='sans-serif' font-size='12'"


@dataclass(frozen=True)
class Frame:
    """A plot's rectangle in pixels, and the values that its edges stand for."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The pixel of a point."""
        low, high = self.x
        bottom, top = self.y
        return (
            self.left + self.width * (x - low) / ((high - low) or 1.0),
            self.top + self.height * (1 - (y - bottom) / ((top - bottom) or 1.0)),
        )


def picture(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """A whole SVG file; `title` is read out by screen readers."""
    body = "\n".join(parts)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:g} {height:g}' width='{width:g}' height='{height:g}' "
        f"role='img'>\n<title>{escape(title)}</title>\n{body}\n</svg>\n"
    )


def words(x: float, y: float, text: str, *, anchor: str = "start", colour: str = INK) -> str:
    """A line of text whose baseline is at `y`; `anchor` is start, middle or end."""
    return f"<text x='{x:.1f}' y='{y:.1f}' fill='{colour}' text-anchor='{anchor}' {FONT}>{escape(text)}</text>"


def line(points: Sequence[tuple[float, float]], colour: str, *, width: float = 1.5, dashed: bool = False) -> str:
    """A line through pixels."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = " stroke-dasharray='5 4'" if dashed else ""
    return f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='{width:g}'{dash}/>"


def dot(x: float, y: float, colour: str, *, radius: float = 3.0, note: str = "") -> str:
    """A dot; `note` shows when the pointer rests on it."""
    title = f"<title>{escape(note)}</title>" if note else ""
    return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{radius:g}' fill='{colour}'>{title}</circle>"


def box(x: float, y: float, width: float, height: float, colour: str, *, note: str = "") -> str:
    """A filled rectangle."""
    title = f"<title>{escape(note)}</title>" if note else ""
    return f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}' fill='{colour}'>{title}</rect>"


def percent_axis(frame: Frame, steps: Sequence[float]) -> list[str]:
    """Faint lines across the frame at shares of 1, with their percentages on the left."""
    parts = []
    for step in steps:
        _, y = frame.at(frame.x[0], step)
        parts.append(line([(frame.left, y), (frame.left + frame.width, y)], FAINT, width=0.75))
        parts.append(words(frame.left - 6, y + 4, f"{100 * step:.0f} %", anchor="end"))
    return parts
