"""What can be done with a run wherever one is shown: its report, publishing, its recipe, what mattered."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from textual import work

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import read_yaml_text
from evomerge_core.run.run_folder.names import RECIPE
from evomerge_tui.screens.page import Page


class RunActions(Page):
    """`chosen_run` is the run that the screen shows, or the one under its cursor."""

    def chosen_run(self) -> Path | None:
        """None where there is none at the moment."""
        raise NotImplementedError

    def action_report(self) -> None:
        if (folder := self.chosen_run()) is not None:
            self._write_report(folder)

    @work(thread=True, exclusive=True, group="report", exit_on_error=False)
    def _write_report(self, folder: Path) -> None:
        from evomerge_core.files.private import private_files
        from evomerge_core.run.report.content import read_report
        from evomerge_core.run.report.write import render_report, write_report
        from evomerge_core.run.view.sound_records import sound_records

        try:
            with sound_records(folder), private_files():
                files = write_report(render_report(read_report(folder)), folder / "report")
        except (InputError, OSError, sqlite3.Error) as error:
            self.app.call_from_thread(self.evomerge.tell, str(error), "error")
            return
        self.app.call_from_thread(self.evomerge.tell, f"Report: {files[0]}")

    def action_publish(self) -> None:
        if (folder := self.chosen_run()) is not None:
            self.evomerge.open_publishing(folder)

    def action_recipe(self) -> None:
        if (folder := self.chosen_run()) is None:
            return
        try:
            self.evomerge.copy_text(read_yaml_text(folder / RECIPE), "recipe")
        except InputError as error:
            self.evomerge.tell(str(error), "error")

    def action_mattered(self) -> None:
        from evomerge_tui.screens.mattered.mattered import MatteredScreen

        if (folder := self.chosen_run()) is not None:
            self.app.push_screen(MatteredScreen(folder))
