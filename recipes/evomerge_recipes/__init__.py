"""Ready-made recipes and the quickstart's adapters."""

import evomerge_core  # noqa: F401 (sets the process up, before any library is loaded)
