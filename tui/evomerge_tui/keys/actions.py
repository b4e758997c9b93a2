"""Every action of the text UI, once: keys, footer, `?` help and command palette are all made from this list.

Ids are what settings use to give an action another key.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """One thing that a person can do. `scope` is where: app, a screen or a widget; `run` is Textual's name of the action.

    `footer` says whether it has a place in the footer; `priority` lets the key through while text is being typed.
    """

    scope: str
    name: str
    key: str
    run: str
    description: str
    tooltip: str
    footer: bool = False
    priority: bool = False

    @property
    def id(self) -> str:
        """Such as `dashboard.pause`."""
        return f"{self.scope}.{self.name}"


ACTIONS: tuple[Action, ...] = (
    Action("app", "help", "question_mark,f1", "app.help", "Help", "Every action of this screen, with its key", footer=True),
    Action("app", "palette", "ctrl+p", "app.command_palette", "Commands", "Find any action by its name", priority=True),
    Action("app", "settings", "comma", "app.settings", "Settings", "Theme, keys, folders and the hub's token"),
    Action("app", "doctor", "exclamation_mark", "app.doctor", "Doctor", "What is missing here, and the command that mends it"),
    Action("app", "theme", "ctrl+t", "app.next_theme", "Theme", "The next theme: dark, light, the terminal's own colours"),
    Action("app", "copy_message", "ctrl+y", "app.copy_message", "Copy message", "Copy the last message, such as an error"),
    Action("app", "quit", "ctrl+q", "app.quit", "Quit", "Leave; a job at work goes on unless you say otherwise", priority=True),
    Action("page", "back", "escape", "app.back_or_stay", "Back", "Back to the screen before", footer=True),
    Action("page", "quit", "q", "app.quit", "Quit", "Leave; a job at work goes on unless you say otherwise"),
    Action("dialog", "close", "escape", "close", "Close", "Close this without doing anything"),
    Action("table", "up", "up,k", "move(-1)", "Row up", "To the row above"),
    Action("table", "down", "down,j", "move(1)", "Row down", "To the row below"),
    Action("table", "page_up", "pageup", "move_page(-1)", "Page up", "A page up"),
    Action("table", "page_down", "pagedown", "move_page(1)", "Page down", "A page down"),
    Action("table", "first", "home", "move_end(-1)", "First row", "To the first row"),
    Action("table", "last", "end", "move_end(1)", "Last row", "To the last row"),
    Action("table", "open", "enter", "open", "Open", "Open this row", footer=True),
    Action("table", "sort", "o", "sort", "Sort by", "Sort by the next column; a click on a title sorts too"),
    Action("table", "invert", "i", "invert", "Invert order", "Turn the order of the rows round"),
    Action("home", "new", "n", "new_run", "New run", "Choose models, a goal and a budget", footer=True),
    Action("home", "quickstart", "g", "quickstart", "Quickstart", "The paper in miniature: minutes, no GPU", footer=True),
    Action("home", "duplicate", "d", "duplicate", "Duplicate", "Start a new recipe from this run's", footer=True),
    Action("home", "delete", "x,delete", "delete", "Delete", "Delete this run's folder; asks first", footer=True),
    Action("home", "copy", "y", "copy", "Copy path", "Copy this run's folder"),
    Action("dashboard", "pause", "p", "pause", "Pause", "Let the job wait after the evaluation at hand", footer=True),
    Action("dashboard", "resume", "r", "resume", "Resume", "Go on with what is paused, stopped or was killed", footer=True),
    Action("dashboard", "stop", "s", "stop", "Stop", "End the job after the candidate at hand", footer=True),
    Action("dashboard", "kill", "ctrl+k", "kill", "Stop now", "End the job at once; the candidate at hand is lost"),
    Action("dashboard", "export", "e", "export", "Export", "Make a GGUF of the winner, and prove it", footer=True),
    Action("dashboard", "chat", "c", "chat", "Chat", "Talk with the winner", footer=True),
    Action("dashboard", "open", "enter", "open", "Open", "Open the chosen candidate", footer=True),
    Action("dashboard", "filter", "slash", "filter", "Filter", "Show only the candidates whose row holds a text"),
    Action("dashboard", "panel_fitness", "1", "panel('fitness')", "Fitness", "Scores over evaluations"),
    Action("dashboard", "panel_candidates", "2", "panel('candidates')", "Candidates", "All candidates, sortable"),
    Action("dashboard", "panel_best", "3", "panel('best')", "Best", "The best candidate and its genome"),
    Action("dashboard", "panel_log", "4", "panel('log')", "Log", "What the job did, and this machine"),
    Action("dashboard", "copy", "y", "copy", "Copy", "Copy the chosen candidate's numbers as YAML"),
    Action("plot", "zoom_in", "plus", "zoom_in", "Zoom in", "Look closer at the plot"),
    Action("plot", "zoom_out", "minus", "zoom_out", "Zoom out", "Look at the plot from further away"),
    Action("plot", "left", "left", "pan_left", "Pan left", "Move the plot's window left"),
    Action("plot", "right", "right", "pan_right", "Pan right", "Move the plot's window right"),
    Action("plot", "up", "up", "pan_up", "Pan up", "Move the plot's window up"),
    Action("plot", "down", "down", "pan_down", "Pan down", "Move the plot's window down"),
    Action("plot", "reset", "0", "reset_scales", "Whole plot", "Show all of the plot again"),
    Action("candidate", "next", "right_square_bracket", "step(1)", "Next", "The next candidate"),
    Action("candidate", "previous", "left_square_bracket", "step(-1)", "Previous", "The candidate before"),
    Action("candidate", "against", "a", "against", "Against", "Compare with the next parent or uniform merge", footer=True),
    Action("candidate", "outcome", "w", "outcome", "Won/lost", "Show items won, items lost, or all", footer=True),
    Action("candidate", "where", "t", "where", "Items of", "Show the items of another split or precision", footer=True),
    Action("candidate", "copy", "y", "copy", "Copy YAML", "Copy the recipe that rebuilds this candidate", footer=True),
    Action("candidate", "tab_items", "1", "tab('items')", "Items", "Items won and lost, with the answers"),
    Action("candidate", "tab_genome", "2", "tab('genome')", "Genome", "The numbers by group and source"),
    Action("candidate", "tab_recipe", "3", "tab('recipe')", "Recipe", "The merge as mergekit's YAML"),
    Action("new_run", "next", "ctrl+n", "step(1)", "Next step", "On to the next step", footer=True, priority=True),
    Action("new_run", "back", "escape", "back", "Back", "To the step before, or to where you came from", footer=True),
    Action("new_run", "models", "1", "go('models')", "Models", "The first step: base and sources"),
    Action("new_run", "goal", "2", "go('goal')", "Goal", "The second step: what the child must be good at"),
    Action("new_run", "search", "3", "go('search')", "Search", "The third step: what is evolved, and for how long"),
    Action("new_run", "review", "4", "go('review')", "Review", "The last step: checklist, recipe, start"),
    Action("new_run", "open", "ctrl+o", "open", "Open recipe", "Go on from a recipe's file", footer=True, priority=True),
    Action("new_run", "save", "ctrl+s", "save", "Save recipe", "Write the recipe to a file", footer=True, priority=True),
    Action("models", "use", "space", "use", "Source", "Merge this model, or leave it out again", footer=True),
    Action("models", "base", "b", "base", "Base", "Measure all sources against this model", footer=True),
    Action("models", "download", "d", "download", "Download", "Fetch this model, or break its download off", footer=True),
    Action("models", "search", "slash", "search", "Search", "Filter the list; enter asks the hub", footer=True),
    Action("models", "again", "r", "again", "Look again", "Look through folders and the hub's cache again"),
    Action("goal", "add", "a", "add", "Add task", "Add a ready task, or a file of your own", footer=True),
    Action("goal", "remove", "x,delete", "remove", "Remove", "Leave this task out", footer=True),
    Action("goal", "next_item", "right_square_bracket", "item(1)", "Next item", "Preview the next item"),
    Action("goal", "previous_item", "left_square_bracket", "item(-1)", "Previous item", "Preview the item before"),
    Action("goal", "try", "t", "try", "Try parents", "Score the parents on 8 items now; again breaks it off", footer=True),
    Action("review", "start", "s", "start", "Start", "Save the recipe, make the run, and watch it", footer=True),
    Action("review", "again", "r", "again", "Check again", "Go through the checklist again", footer=True),
    Action("review", "copy", "y", "copy", "Copy YAML", "Copy the recipe", footer=True),
    Action("export", "choose", "space", "choose", "Choose", "Make a file of this type, or don't", footer=True),
    Action("export", "start", "s", "start", "Start", "Make the files, and prove each against the model", footer=True),
    Action("export", "stop", "x", "stop", "Break off", "End the export; finished files stay", footer=True),
    Action("export", "copy", "y", "copy", "Copy", "Copy the path of a file, or the command that comes next", footer=True),
    Action("export", "chat", "c", "chat", "Chat", "Talk with what was made", footer=True),
    Action("chat", "stop", "escape", "stop_or_leave", "Stop/back", "Stop the answer; again: back", footer=True, priority=True),
    Action("chat", "send", "enter", "send", "Send", "Send the message; ctrl+j begins a new line", footer=True),
    Action("chat", "line", "ctrl+j", "new_line", "New line", "Begin a new line in the message"),
    Action("chat", "compare", "ctrl+o", "compare", "Compare", "Ask a second model too", footer=True, priority=True),
    Action("chat", "blind", "ctrl+b", "blind", "Blind", "Hide which is which until you have voted", footer=True, priority=True),
    Action("chat", "left", "f2", "vote('left')", "Left", "The left answer is better", priority=True),
    Action("chat", "right", "f3", "vote('right')", "Right", "The right answer is better", priority=True),
    Action("chat", "tie", "f4", "vote('tie')", "Tie", "Neither answer is better", priority=True),
    Action("chat", "clear", "ctrl+l", "clear", "Clear", "Forget what was said", footer=True, priority=True),
    Action("chat", "settings", "ctrl+g", "sampling", "Sampling", "Temperature, system message and what else", priority=True),
    Action("chat", "copy", "ctrl+r", "copy", "Copy answer", "Copy the last answer", priority=True),
    Action("doctor", "again", "r", "again", "Check again", "Look again at everything", footer=True),
    Action("doctor", "copy", "y", "copy", "Copy command", "Copy the command that mends this", footer=True),
    Action("settings", "save", "ctrl+s", "save", "Save", "Write the settings", footer=True, priority=True),
)  # fmt: skip


def actions_of(*scopes: str) -> tuple[Action, ...]:
    """The actions of some scopes, in the registry's order."""
    return tuple(action for action in ACTIONS if action.scope in scopes)
