"""A search of ten thousand candidates opens, sorts and filters, and shows only what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_core.run.store.records import Outcome
from support.large_store import fill
from support.screen_tools import make_app, shown, table, until

COUNT = 10_000


@pytest.mark.anyio
async def test_ten_thousand_candidates_open(tmp_path: Path) -> None:
    scores = fill(tmp_path / "large", COUNT)
    app = make_app(tmp_path)
    async with app.run_test(size=(160, 50)) as pilot:
        app.open_run(tmp_path / "large")
        await until(pilot, lambda: len(table(app, "candidate-list").rows) == COUNT)
        first = table(app, "candidate-list").rows[0]
        assert isinstance(first, Outcome)
        assert first.score == max(scores)
        await pilot.press("end")
        await until(pilot, lambda: f"{100 * min(scores):.1f} %" in shown(app))
        await pilot.press("slash", *"g777.")
        await until(pilot, lambda: len(table(app, "candidate-list").rows) == 10)
