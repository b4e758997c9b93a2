"""Ready-made recipes and the quickstart's adapters."""

from evomerge_core.process_setup import set_up_process

set_up_process()
