"""Everything with few bits: the resident 4-bit model that scores candidates, and memory budgets."""

from evomerge_core.process_setup import set_up_process

set_up_process()
