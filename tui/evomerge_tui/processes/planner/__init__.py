"""The planner: a process beside the screens that opens models and reads tasks, so that the screens never wait."""
