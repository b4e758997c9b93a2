"""`evomerge-tui chat FILE|RUN`: a chat with a GGUF, or with two side by side."""

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

    from evomerge_tui.talk.loaded_model import ChatAnswer, LoadedModel

_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repeat_penalty", "max_tokens", "seed")


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("chat", help="chat with a GGUF file or a run's winner")
    parser.add_argument(
        "model", type=Path, metavar="FILE|RUN", help="a GGUF file, or the folder of a run with an exported winner"
    )
    parser.add_argument("--prompt", metavar="TEXT", help="send this message, print the answer and exit; - reads standard input")
    parser.add_argument(
        "--compare", metavar="OTHER", help="also ask this model: a GGUF file, a run, or the label of a parent of the run"
    )
    parser.add_argument(
        "--image", type=Path, action="append", default=[], metavar="FILE", help="show this picture with the first message"
    )
    parser.add_argument("--mmproj", type=Path, metavar="FILE", help="see with this file (default: the one beside the model's)")
    parser.add_argument("--system", metavar="TEXT", help="the system message")
    parser.add_argument(
        "--context", type=int, metavar="TOKENS", help="context size (default: as much as the model and memory allow)"
    )
    parser.add_argument("--temperature", type=float, metavar="T", help="0 always picks the likeliest token")
    parser.add_argument(
        "--top-p", type=float, metavar="P", help="sample from the likeliest tokens that add up to probability P; 1: off"
    )
    parser.add_argument("--top-k", type=int, metavar="K", help="sample from the K likeliest tokens; 0: off")
    parser.add_argument("--min-p", type=float, metavar="P", help="drop tokens less likely than P times the likeliest; 0: off")
    parser.add_argument("--repeat-penalty", type=float, metavar="R", help="above 1: recent tokens become less likely; 1: off")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="longest answer, in tokens")
    parser.add_argument("--seed", type=int, metavar="S", help="make answers repeatable (default: random)")
    add_json(parser)
    parser.set_defaults(command=_chat)


def _chat(args: argparse.Namespace) -> int:
    if args.json and args.prompt is None:
        raise InputError("needs --prompt TEXT: an interactive chat can't be printed as one JSON object", where="--json")
    if args.context is not None and args.context < 1:
        raise InputError("must be at least 1", where=f"--context {args.context}")
    from evomerge_tui.talk.loaded_model import show_pictures
    from evomerge_tui.terminal.safe_console import SafeConsole

    with ExitStack() as resources:
        models = _open_models(args, resources)
        show_pictures(models, args.image)
        if args.prompt is None:
            return _converse(models, SafeConsole())
        prompt = sys.stdin.read() if args.prompt == "-" else args.prompt
        return _answer_once(models, prompt, args.image, as_json=args.json)


def _open_models(args: argparse.Namespace, resources: ExitStack) -> list[LoadedModel]:
    from evomerge_quant.chat.chat import open_chat
    from evomerge_quant.chat.conversation import Conversation
    from evomerge_quant.gguf.subject.export_paths import find_candidate, find_gguf
    from evomerge_tui.talk.loaded_model import LoadedModel

    files = [find_gguf(args.model)]
    if args.compare is not None:
        other = Path(args.compare)
        files.append(
            find_gguf(other) if other.exists() or not args.model.is_dir() else find_candidate(args.model, args.compare)
        )
    wanted = {name: getattr(args, name) for name in _SAMPLING}
    models = []
    for number, file in enumerate(files):
        chat = resources.enter_context(
            open_chat(file, context=args.context, share=1 / (len(files) - number), mmproj=args.mmproj)
        )
        name = args.compare if number else file.name
        models.append(LoadedModel(name, chat, Conversation.begin(args.system), chat.sampling.changed(**wanted)))
    return models


def _answer_once(models: list[LoadedModel], prompt: str, images: list[Path], *, as_json: bool) -> int:
    from evomerge_tui.cli.output.terminal_chat import ask, ask_quietly
    from evomerge_tui.terminal.safe_console import SafeConsole

    if as_json:
        first, *others = [_reported(model, ask_quietly(model, prompt)) for model in models]
        shown = {"images": [str(image) for image in images]} if images else {}
        print_json({"prompt": prompt, **shown, **first, **({"compared": others[0]} if others else {})})
        return 0
    ask(models, prompt, SafeConsole())
    return 0


def _reported(model: LoadedModel, answer: ChatAnswer) -> dict[str, Any]:
    reply = answer.reply
    return {
        "file": str(model.chat.model.path),
        "answer": reply.text,
        "tokens": reply.tokens,
        "tokens_per_second": round(reply.tokens_per_second, 2),
        "prompt_tokens": reply.prompt_tokens,
        "stopped_by": reply.stopped_by,
        "trimmed_turns": answer.trimmed,
    }


def _converse(models: list[LoadedModel], console: Console) -> int:
    """Until ctrl+d. An error with one message is shown, and the chat continues."""
    from rich.text import Text

    from evomerge_tui.cli.output.chat_commands import carry_out
    from evomerge_tui.cli.output.terminal_chat import ask
    from evomerge_tui.talk.loaded_model import show_pictures
    from evomerge_tui.talk.picture_paths import split_message

    _remember_lines()
    console.print(Text(f"{' and '.join(model.name for model in models)}; /help for help, ctrl+d to exit", style="dim"))
    while True:
        try:
            line = input("> ")
        except EOFError:
            console.print()
            return 0
        except KeyboardInterrupt:
            console.print(Text("\nctrl+d exits", style="dim"))
            continue
        try:
            text, pictures = split_message(line)
            show_pictures(models, pictures)
            if pictures and not text:
                console.print(Text("shown with the next message", style="dim"))
            elif text.startswith("/"):
                console.print(Text(carry_out(text, models), style="dim"))
            elif text:
                ask(models, text, console)
        except InputError as error:
            console.print(Text(str(error), style="red"))


def _remember_lines() -> None:
    """Arrow keys edit the line and recall earlier ones, where Python has readline (not on Windows)."""
    try:
        import readline  # noqa: F401
    except ImportError:
        return
