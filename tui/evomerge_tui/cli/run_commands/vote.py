"""`evomerge-tui vote RUN`: shows two answers at a time, and reads which is better."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from evomerge_core.errors import InputError
from evomerge_core.files.path_text import on_command_line
from evomerge_tui.cli.arguments import Subparsers, add_json, add_run_folder, print_json

if TYPE_CHECKING:
    from evomerge_core.run.view.booth import Booth, Choice

_POLL_SECONDS = 0.2
# 3 is the key of the screen
_CHOICES: dict[str, Choice] = {"1": "first", "2": "second", "3": "tie", "t": "tie", "tie": "tie", "0": "tie"}
_HOW = "1 or 2 for the better answer, 3 or t for a tie, q to leave"


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("vote", help="vote on the answers of a run's candidates, without knowing whose they are")
    add_run_folder(parser)
    add_json(parser)
    parser.set_defaults(command=_vote)


def _vote(args: argparse.Namespace) -> int:
    from evomerge_core.run.run_folder.folder import require_sound_store
    from evomerge_core.run.view.booth import cast, prompts_of
    from evomerge_core.run.view.sound_records import sound_records

    with sound_records(args.run):
        require_sound_store(args.run)
        prompts = prompts_of(args.run)
    lines, given = _lines(), 0
    while True:
        booth = _wait(args.run, prompts, as_json=args.json)
        if booth.ballot is None:
            break
        _show(booth, as_json=args.json)
        choice = _read(lines)
        if choice is None:
            break
        given += cast(args.run, booth.ballot, choice)
    if args.json:
        print_json({"run": str(args.run), "state": booth.state, "votes": booth.cast})
    else:
        print(_ending(args.run, booth, given))
    return 0


def _wait(run: Path, prompts: dict[str, str], *, as_json: bool) -> Booth:
    """What is asked, as soon as there is something; while the job works on answers, that takes a while."""
    from evomerge_core.run.store.live_states import LIVE
    from evomerge_core.run.view.booth import look_into

    told = False
    while True:
        booth = look_into(run, prompts)
        if booth.ballot is not None or booth.state not in LIVE:
            return booth
        if not told and not as_json:
            print("waiting for the next answers (ctrl+c leaves; the job keeps running)", flush=True)
            told = True
        time.sleep(_POLL_SECONDS)


def _show(booth: Booth, *, as_json: bool) -> None:
    from rich.rule import Rule
    from rich.text import Text

    from evomerge_tui.terminal.safe_console import SafeConsole

    assert booth.ballot is not None
    if as_json:
        print_json({"vote": booth.cast + 1, "of": booth.asked, "prompt": booth.prompt, "answers": list(booth.ballot.answers)})
        sys.stdout.flush()
        return
    console = SafeConsole()
    console.print(Rule(Text(f"vote {booth.cast + 1} of {booth.asked}")), Text(booth.prompt, style="bold"))
    for number, answer in enumerate(booth.ballot.answers, 1):
        console.print(Rule(Text(f"answer {number}"), align="left"), Text(answer.strip() or "(nothing)"))
    console.print(Text(_HOW, style="dim"))


def _lines() -> Iterator[str]:
    """What a person or a script writes, line by line. Raises InputError for what is no text."""
    try:
        for line in sys.stdin:
            yield line.strip().lower()
    except UnicodeDecodeError:
        raise InputError("isn't text in UTF-8", where="standard input", remedy=f"write {_HOW}") from None


def _read(lines: Iterator[str]) -> Choice | None:
    """The next choice; None at the end, or to leave."""
    for line in lines:
        if line in ("q", "quit"):
            return None
        if line in _CHOICES:
            return _CHOICES[line]
        if line:
            print(f"{line[:20]!r} is no vote: {_HOW}", file=sys.stderr)
    return None


def _ending(run: Path, booth: Booth, given: int) -> str:
    said = f"{given} votes cast, {booth.cast} in all" if given else "no votes cast"
    named = on_command_line(run)
    if booth.state == "finished":
        return f"{said}: the run is finished; see `evomerge-tui status {named}`"
    if booth.ballot is None:
        return f"{said}: nothing is asked; the run is {booth.state}, go on with `evomerge-tui resume {named}`"
    return f"{said}; go on with `evomerge-tui vote {named}`"
