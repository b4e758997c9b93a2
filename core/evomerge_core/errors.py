"""The one error that a user's input can cause."""

from __future__ import annotations


class InputError(Exception):
    """Bad input, told in one line that names the file, the key and the remedy; commands end with status 2."""
