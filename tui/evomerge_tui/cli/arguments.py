"""Arguments that several commands share, and how they print JSON."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from evomerge_core.visible_text import visible_json

Subparsers = Any  # argparse's own class for them is private


def add_run_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object on the last line")


def add_workers(parser: argparse.ArgumentParser) -> None:
    text = "score candidates with N workers, one to a card (auto), those of a Ray cluster, or none (default: the recipe's)"
    parser.add_argument("--workers", metavar="N|auto|ray://HOST:PORT", help=text)


def print_json(value: Any) -> None:
    print(visible_json(value), flush=True)
