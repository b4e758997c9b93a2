"""Three sources, of which one can only disturb: arithmetic x Japanese with a German adapter among them."""

from __future__ import annotations

from crosses.cross import Cross
from crosses.german import GERMAN
from crosses.plain import JAPANESE, SUMS, japanese_items

THREE_SOURCES = Cross("three-sources", "Arithmetic x Japanese x German", (SUMS, JAPANESE, GERMAN), japanese_items, "ja")
