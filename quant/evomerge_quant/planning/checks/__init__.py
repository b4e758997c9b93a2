"""What preflight checks: budget, models, tasks, room on the machine, and a card that nothing uses."""
