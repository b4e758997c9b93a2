"""Export: what files would cost is shown before they are made; the real export runs where its converter is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from textual.widgets import Input, Static

from evomerge_tui.screens.export.export import ExportScreen
from support.screen_tools import click_text, make_app, shown, table, until
from support.seeing_gguf_models import write_llava_mmproj, write_seeing_gguf_model

pytestmark = pytest.mark.anyio
Finished = tuple[Path, "subprocess.CompletedProcess[str]"]


async def test_types_are_chosen_with_keys_and_mouse(finished: Finished) -> None:
    app = make_app(finished[0].parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_export(finished[0])
        await until(pilot, lambda: "to be written" in shown(app), 120)
        assert "■ Q4_K_M" in shown(app)
        await pilot.press("home", "space")
        await until(pilot, lambda: "■ F16" in shown(app))
        await click_text(pilot, "Q4_K_M", times=2)
        await until(pilot, lambda: "□ Q4_K_M" in shown(app))
        sizes = [row.planned["bytes"] for row in table(app, "types").rows]  # type: ignore[attr-defined]
        assert sizes == sorted(sizes, reverse=True)


async def test_warnings_are_shown_before_the_export(finished: Finished) -> None:
    """None of the models has a card, so no licence can be written; rows of 64 weights don't fit Q4_K's blocks of 256."""
    app = make_app(finished[0].parent)
    async with app.run_test(size=(160, 40)) as pilot:
        app.open_export(finished[0])
        await until(pilot, lambda: "to be written" in shown(app), 120)
        assert "not every source states a licence" in shown(app)
        assert "○ Q4_K_M: " in shown(app)
        assert "○ Q6_K: " not in shown(app)
        await click_text(pilot, "Q4_K_M", times=2)
        await until(pilot, lambda: "○ Q4_K_M: " not in shown(app))
        assert "not every source states a licence" in shown(app)


async def test_what_cant_be_exported_says_why(tmp_path: Path, finished: Finished) -> None:
    run = Path(shutil.copytree(finished[0], tmp_path / "run"))
    (run / "recipe.yaml").write_text((run / "recipe.yaml").read_text().replace("/base", "/nowhere"))
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_export(run)
        # as it was said: on the screen a long folder may break the name
        await until(pilot, lambda: "nowhere" in str(app.screen.query_one("#room", Static).content), 120)


async def test_where_eyes_cant_be_converted_the_users_file_is_asked_for(tmp_path: Path) -> None:
    model = write_seeing_gguf_model(tmp_path / "llava", "llava")
    eyes = write_llava_mmproj(model, tmp_path / "their eyes.gguf")
    app = make_app(tmp_path)
    async with app.run_test(size=(140, 40)) as pilot:
        app.push_screen(ExportScreen(model))
        await until(pilot, lambda: "--mmproj FILE" in shown(app).replace("\n", " ") and "Eyes" in shown(app), 120)
        field = app.screen.query_one("#mmproj", Input)
        field.focus()
        field.value = str(tmp_path / "nothing.gguf")
        await pilot.press("enter")
        await until(pilot, lambda: "no such file" in shown(app), 120)
        field.value = str(eyes)
        await pilot.press("enter")
        await until(pilot, lambda: "to see with: " in shown(app) and "copied" in shown(app), 120)
