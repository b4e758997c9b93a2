"""Everything with few bits: the resident 4-bit model, GGUF files, and what a run takes on this machine."""

import evomerge_core  # noqa: F401 (sets the process up, before any library is loaded)
