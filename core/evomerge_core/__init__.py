"""What a merge is and how a good one is found: recipes, sources, merge methods, search, tasks, runs."""

from evomerge_core.process_setup import set_up_process

set_up_process()
