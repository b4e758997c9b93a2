"""Processes of our own: the job, commands, the planner, the server."""
