"""The processes that screens and commands start: jobs, commands, the planner, the server."""
