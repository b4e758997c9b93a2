"""What is exported: a run's winner, one of its candidates, or a model folder."""
