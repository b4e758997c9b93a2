"""Commands about a run: begin, follow, steer and report it."""
