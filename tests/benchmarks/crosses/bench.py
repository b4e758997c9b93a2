"""All crosses by name, the ones that need least training first."""

from __future__ import annotations

from crosses.comparing import COMPARING_GERMAN
from crosses.nothing_to_win import NOTHING_TO_WIN
from crosses.own_language import OWN_LANGUAGE
from crosses.plain import PLAIN
from crosses.three_sources import THREE_SOURCES
from crosses.two_steps import TWO_STEPS

CROSSES = {cross.name: cross for cross in (PLAIN, NOTHING_TO_WIN, OWN_LANGUAGE, TWO_STEPS, THREE_SOURCES, COMPARING_GERMAN)}
