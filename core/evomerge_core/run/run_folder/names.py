"""What the files of a run folder are called."""

RECIPE = "recipe.yaml"
SOURCES = "sources.json"
STORE = "run.db"
# The last sound copy of the store, and where a damaged one is kept.
COPY = "run.copy.db"
DAMAGED = "run.damaged.db"
LOCK = "job.lock"
LOG = "job.log"
WINNER = "winner"
# What the run's model makes of its items' pictures.
FEATURES = "features"
RESULT = "result.json"
