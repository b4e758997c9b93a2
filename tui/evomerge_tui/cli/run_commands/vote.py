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
    from evomerge_core.run.view.voting import Choice, Voting

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
    from evomerge_core.run.view.sound_records import sound_records
    from evomerge_core.run.view.voting import cast, prompts_of

    with sound_records(args.run):
        require_sound_store(args.run)
        prompts = prompts_of(args.run)
    lines, given = _lines(), 0
    while True:
        voting = _wait(args.run, prompts, as_json=args.json)
        if voting.ballot is None:
            break
        _show(voting, as_json=args.json)
        choice = _read(lines)
        if choice is None:
            break
        given += cast(args.run, voting.ballot, choice)
    if args.json:
        print_json({"run": str(args.run), "state": voting.state, "votes": voting.cast})
    else:
        print(_ending(args.run, voting, given))
    return 0


def _wait(run: Path, prompts: dict[str, str], *, as_json: bool) -> Voting:
    """What is asked, as soon as there is something; while the job works on answers, that takes a while."""
    from evomerge_core.run.store.live_states import LIVE
    from evomerge_core.run.view.voting import voting_now

    told = False
    while True:
        voting = voting_now(run, prompts)
        if voting.ballot is not None or voting.state not in LIVE:
            return voting
        if not told and not as_json:
            print("waiting for the next answers (ctrl+c leaves; the job keeps running)", flush=True)
            told = True
        time.sleep(_POLL_SECONDS)


def _show(voting: Voting, *, as_json: bool) -> None:
    from rich.rule import Rule
    from rich.text import Text

    from evomerge_tui.terminal.safe_console import SafeConsole

    assert voting.ballot is not None
    if as_json:
        print_json(
            {"vote": voting.cast + 1, "of": voting.asked, "prompt": voting.prompt, "answers": list(voting.ballot.answers)}
        )
        sys.stdout.flush()
        return
    console = SafeConsole()
    console.print(Rule(Text(f"vote {voting.cast + 1} of {voting.asked}")), Text(voting.prompt, style="bold"))
    for number, answer in enumerate(voting.ballot.answers, 1):
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


def _ending(run: Path, voting: Voting, given: int) -> str:
    said = f"{given} votes cast, {voting.cast} in all" if given else "no votes cast"
    named = on_command_line(run)
    if voting.state == "finished":
        return f"{said}: the run is finished; see `evomerge-tui status {named}`"
    if voting.ballot is None:
        return f"{said}: nothing is asked; the run is {voting.state}, go on with `evomerge-tui resume {named}`"
    return f"{said}; go on with `evomerge-tui vote {named}`"
