"""`evomerge-tui chat FILE|RUN`: a conversation with a GGUF, or the same one with two side by side."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evomerge_core.errors import InputError
from evomerge_tui.cli.arguments import Subparsers, add_json, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from evomerge_tui.cli.output.terminal_chat import Heard, Seat

_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repeat_penalty", "max_tokens", "seed")


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("chat", help="talk with a GGUF, or with a run's winner")
    parser.add_argument("model", type=Path, metavar="FILE|RUN", help="a GGUF file, or a run that was exported")
    parser.add_argument("--prompt", metavar="TEXT", help="ask this, print the answer and end; - reads standard input")
    parser.add_argument("--compare", metavar="OTHER", help="put everything to this one too: a GGUF, a run, or a parent's label")
    parser.add_argument("--system", metavar="TEXT", help="the system message")
    parser.add_argument(
        "--context", type=int, metavar="TOKENS", help="longest conversation (default: what model and memory allow)"
    )
    parser.add_argument("--temperature", type=float, metavar="T", help="0 takes the likeliest token always")
    parser.add_argument("--top-p", type=float, metavar="P", help="only the likeliest tokens that make up this share; 1: off")
    parser.add_argument("--top-k", type=int, metavar="K", help="only the K likeliest tokens; 0: off")
    parser.add_argument(
        "--min-p", type=float, metavar="P", help="no token less likely than this share of the likeliest; 0: off"
    )
    parser.add_argument("--repeat-penalty", type=float, metavar="R", help="above 1: makes recent tokens less likely")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="the longest answer")
    parser.add_argument("--seed", type=int, metavar="S", help="the same answers each time")
    add_json(parser)
    parser.set_defaults(command=_chat)


def _chat(args: argparse.Namespace) -> int:
    if args.json and args.prompt is None:
        raise InputError("--json: needs --prompt TEXT; a conversation is not one object")
    if args.context is not None and args.context < 1:
        raise InputError(f"--context {args.context}: must be above 0")
    from rich.console import Console

    with ExitStack() as open_seats:
        seats = _seats(args, open_seats)
        if args.prompt is None:
            return _converse(seats, Console(highlight=False))
        prompt = sys.stdin.read() if args.prompt == "-" else args.prompt
        return _answer_once(seats, prompt, as_json=args.json)


def _seats(args: argparse.Namespace, open_seats: ExitStack) -> list[Seat]:
    from evomerge_quant.chat.chat import open_chat
    from evomerge_quant.chat.conversation import Conversation
    from evomerge_quant.gguf.subject.export_paths import find_candidate, find_gguf
    from evomerge_tui.cli.output.terminal_chat import Seat

    files = [find_gguf(args.model)]
    if args.compare is not None:
        other = Path(args.compare)
        files.append(
            find_gguf(other) if other.exists() or not args.model.is_dir() else find_candidate(args.model, args.compare)
        )
    wanted = {name: getattr(args, name) for name in _SAMPLING}
    seats = []
    for number, file in enumerate(files):
        chat = open_seats.enter_context(open_chat(file, context=args.context, share=1 / (len(files) - number)))
        name = args.compare if number else file.name
        seats.append(Seat(name, chat, Conversation.begin(args.system), chat.sampling.changed(**wanted)))
    return seats


def _answer_once(seats: list[Seat], prompt: str, *, as_json: bool) -> int:
    from rich.console import Console

    from evomerge_tui.cli.output.terminal_chat import ask, listen

    if as_json:
        first, *others = [_reported(seat, listen(seat, prompt)) for seat in seats]
        print_json({"prompt": prompt, **first, **({"compared": others[0]} if others else {})})
        return 0
    ask(seats, prompt, Console(highlight=False))
    return 0


def _reported(seat: Seat, heard: Heard) -> dict[str, Any]:
    reply = heard.reply
    return {
        "file": str(seat.chat.model.path),
        "answer": reply.text,
        "tokens": reply.tokens,
        "tokens_per_second": round(reply.tokens_per_second, 2),
        "prompt_tokens": reply.prompt_tokens,
        "stopped_by": reply.stopped_by,
        "trimmed_turns": heard.trimmed,
    }


def _converse(seats: list[Seat], console: Console) -> int:
    """Until ctrl+d. What goes wrong with one message is said, and the conversation goes on."""
    from rich.text import Text

    from evomerge_tui.cli.output.chat_commands import carry_out
    from evomerge_tui.cli.output.terminal_chat import ask

    _remember_lines()
    console.print(Text(f"{' and '.join(seat.name for seat in seats)}; /help for help, ctrl+d ends", style="dim"))
    while True:
        try:
            line = input("> ")
        except EOFError:
            console.print()
            return 0
        except KeyboardInterrupt:
            console.print(Text("\nctrl+d ends", style="dim"))
            continue
        try:
            if line.startswith("/"):
                console.print(Text(carry_out(line, seats), style="dim"))
            elif line.strip():
                ask(seats, line, console)
        except InputError as error:
            console.print(Text(str(error), style="red"))


def _remember_lines() -> None:
    """Arrow keys edit the line and bring earlier ones back, where Python has readline (not on Windows)."""
    try:
        import readline  # noqa: F401
    except ImportError:
        return
