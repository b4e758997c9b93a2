"""Nothing can be won: both adapters are noise."""

from __future__ import annotations

from crosses.cross import Cross, RandomLike
from crosses.own_language import english_items

NOISE = (RandomLike("noise-1", "arithmetic", seed=5), RandomLike("noise-2", "japanese", seed=6))
NOTHING_TO_WIN = Cross("nothing-to-win", "Two adapters of noise", NOISE, english_items, None)
