"""How much a stranger's template or regular expression may take."""

from __future__ import annotations

# Of the processor's time: a busy machine makes nothing fail. A chat template takes a thousandth of a second.
SECONDS = 2.0
MEMORY = 512 * 2**20
# Of what a template writes.
CHARACTERS = 10_000_000
TOO_LONG = f"it takes longer than {SECONDS:g} s"
TOO_MUCH = f"it takes more than {MEMORY // 2**20} MB of memory"
# The status of a process that ended itself for its memory.
MEMORY_STATUS = 87
