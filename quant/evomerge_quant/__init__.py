"""Everything with few bits: the resident 4-bit model, GGUF files, and what a run takes on this machine."""

from evomerge_core.process_setup import set_up_process

set_up_process()
