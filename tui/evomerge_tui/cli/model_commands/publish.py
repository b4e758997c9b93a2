"""`evomerge-tui publish RUN|GGUF... --to OWNER/NAME`: shares a child on the hub, with a model card."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evomerge_tui.cli.arguments import Subparsers, print_json

if TYPE_CHECKING:
    from evomerge_quant.publishing.publication import Publication
    from evomerge_quant.publishing.upload import OnFile


def add_parser(commands: Subparsers) -> None:
    parser = commands.add_parser("publish", help="share a winner or GGUF files on the hub, with a model card")
    parser.add_argument(
        "what", type=Path, nargs="+", metavar="RUN|GGUF", help="the folder of a finished run, or GGUF files to go together"
    )
    parser.add_argument("--to", required=True, metavar="OWNER/NAME", help="the repository; it is made where there is none")
    parser.add_argument("--private", action="store_true", help="make it a repository that nobody else sees")
    parser.add_argument("--dry-run", action="store_true", help="show the files, their sizes and the card, and send nothing")
    parser.add_argument("--json", action="store_true", help="print JSON objects, one per line: progress, then the result")
    parser.set_defaults(command=_publish)


def _publish(args: argparse.Namespace) -> int:
    from evomerge_quant.publishing.publication import make_publication

    publication = make_publication(args.what, args.to)
    facts: dict[str, Any] = {
        "repo": publication.repo,
        "private": args.private,
        "files": [{"path": file.name, "bytes": file.size} for file in publication.files],
        "bytes": publication.size,
        "card": publication.card,
    }
    if not args.json:
        _show(publication, card=args.dry_run)
    if not args.dry_run:
        from evomerge_quant.publishing.upload import upload

        # only a new repository can be made private
        facts["url"] = upload(
            publication.repo, publication.files, _teller(publication, as_json=args.json), private=args.private or None
        )
    if args.json:
        print_json(facts)
    elif not args.dry_run:
        print(facts["url"])
    return 0


def _show(publication: Publication, *, card: bool) -> None:
    from evomerge_tui.text.quantities import amount

    for file in publication.files:
        print(f"{amount(file.size):>8}  {file.name}")
    print(f"{amount(publication.size):>8}  in all, to {publication.repo}", flush=True)
    if card:
        print(f"\n{publication.card}", end="")


def _teller(publication: Publication, *, as_json: bool) -> OnFile:
    """Says which file is sent."""
    done = 0

    def tell(place: int) -> None:
        nonlocal done
        if place == len(publication.files):
            return
        file = publication.files[place]
        if as_json:
            print_json({"file": file.name, "done": done, "total": publication.size})
        else:
            print(f"sending {file.name} ({place + 1} of {len(publication.files)})", flush=True)
        done += file.size

    return tell
