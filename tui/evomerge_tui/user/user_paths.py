"""Where this user's files lie, other than the settings."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path, user_state_path


def cache_folder() -> Path:
    """Files that can be made again: the quickstart's base model and items."""
    return user_cache_path("evomerge-tui")


def timings_path() -> Path:
    """How long candidates took in past runs on this machine."""
    return user_state_path("evomerge-tui", appauthor=False) / "timings.jsonl"


def tour_path() -> Path:
    """Is there once the tour was shown."""
    return user_state_path("evomerge-tui", appauthor=False) / "tour-shown"
