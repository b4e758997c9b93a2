"""Makes the crosses: trains the adapters that aren't there yet, and writes a folder with a recipe for each cross.

    cd tests/benchmarks && python -m crosses.make --out DIR [--only plain two-steps] [--base FOLDER]

Training needs peft; each adapter takes minutes on one thread, and is shared by the crosses that name it (`DIR/adapters`).
`evomerge-tui run DIR/plain/recipe.yaml` then runs one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from platformdirs import user_cache_path

from crosses.adapters import make_adapter
from crosses.bench import CROSSES
from crosses.recipe_folder import write_cross
from evomerge_recipes.quickstart.base import base_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder that receives adapters/ and a folder for each cross")
    parser.add_argument("--only", nargs="+", choices=CROSSES, default=list(CROSSES), help="some of the crosses")
    parser.add_argument("--base", type=Path, help="SmolLM2-135M-Instruct (default: the quickstart's own)")
    args = parser.parse_args()
    base = args.base or base_folder(user_cache_path("evomerge-tui") / "models")
    for name in args.only:
        cross = CROSSES[name]
        adapters = [make_adapter(adapter, base, args.out / "adapters") for adapter in cross.adapters]
        print(write_cross(cross, base, adapters, args.out / name), flush=True)


if __name__ == "__main__":
    main()
