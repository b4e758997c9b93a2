"""Fixtures of the quant tests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from support.tiny_models import make_folder


@pytest.fixture
def model_folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes the folder of a tiny random model of a family, from a seed."""
    return partial(make_folder, tmp_path)
