"""`python -m evomerge_tui` is the command `evomerge-tui`: screens without a command, else the command line."""

from __future__ import annotations

import argparse
import sys


def main() -> int:
    """Carries out what the command line asks for; returns the exit status."""
    from evomerge_tui.cli.main import main as command_line
    from evomerge_tui.terminal.utf8_output import write_utf8

    write_utf8()
    return command_line(open_screens=_open_screens)


def _open_screens(args: argparse.Namespace) -> int:
    from evomerge_tui.app import open_screens

    return open_screens(unicode=not args.no_unicode)


if __name__ == "__main__":
    sys.exit(main())
