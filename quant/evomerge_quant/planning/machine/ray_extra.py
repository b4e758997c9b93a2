"""Whether Ray is there, without loading it."""

from __future__ import annotations

from importlib.util import find_spec

from evomerge_core.errors import InputError


def require_ray() -> None:
    """Raises `InputError` where workers are asked for and Ray isn't installed."""
    if find_spec("ray") is None:
        remedy = "install it with `pip install 'evomerge-tui[ray]'`, or leave the workers out"
        raise InputError("workers need Ray, which isn't installed", remedy=remedy)
