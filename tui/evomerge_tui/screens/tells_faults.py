"""Background work that fails in a way that nobody foresaw: it is told, and the screens go on."""

from __future__ import annotations

from typing import Any

from textual.dom import DOMNode
from textual.worker import Worker, WorkerState

from evomerge_tui.screens.shell import shell_of


class TellsFaults(DOMNode):
    """What has workers: the app, screens, and widgets that work. Textual itself ends the app at a worker's fault, or says
    nothing, and then a person waits forever for what the worker would have shown."""

    def run_worker(self, *work: Any, **options: Any) -> Worker[Any]:
        """As Textual's, but a fault never ends the app."""
        return super().run_worker(*work, **{**options, "exit_on_error": False})

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Tells a fault. A worker whose screen is gone changes nothing any more, and tells nothing."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            shell_of(self).tell_fault(event.worker.error)
