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
    Action("app", "help", "question_mark,f1", "app.help", "Help", "All actions on this screen, and their keys", footer=True),
    Action("app", "palette", "ctrl+p", "app.command_palette", "Commands", "Find any action by name", priority=True),
    Action("app", "settings", "comma", "app.settings", "Settings", "Theme, keys, folders and the Hub token"),
    Action("app", "doctor", "exclamation_mark", "app.doctor", "Doctor", "What is missing here, and how to fix it"),
    Action("app", "tour", "f9", "app.tour", "Tour", "What the screens are for, in six steps"),
    Action("app", "theme", "ctrl+t", "app.next_theme", "Theme", "Next theme: dark, light, terminal colours"),
    Action("app", "copy_message", "ctrl+y", "app.copy_message", "Copy message", "Copy the last message, such as an error"),
    Action("app", "quit", "ctrl+q", "app.quit", "Quit", "Quit; asks what running jobs should do", priority=True),
    Action("page", "back", "escape", "app.back_or_stay", "Back", "Back to the previous screen", footer=True),
    Action("page", "quit", "q", "app.quit", "Quit", "Quit; asks what running jobs should do"),
    Action("dialog", "close", "escape", "close", "Close", "Close without doing anything"),
    Action("table", "up", "up,k", "move(-1)", "Row up", "Move to the row above"),
    Action("table", "down", "down,j", "move(1)", "Row down", "Move to the row below"),
    Action("table", "page_up", "pageup", "move_page(-1)", "Page up", "Move up a page"),
    Action("table", "page_down", "pagedown", "move_page(1)", "Page down", "Move down a page"),
    Action("table", "first", "home", "move_end(-1)", "First row", "Move to the first row"),
    Action("table", "last", "end", "move_end(1)", "Last row", "Move to the last row"),
    Action("table", "open", "enter", "open", "Open", "Open this row", footer=True),
    Action("table", "sort", "o", "sort", "Sort", "Sort by the next column, or click a title"),
    Action("table", "invert", "i", "invert", "Reverse order", "Reverse the order"),
    Action("home", "new", "n", "new_run", "New run", "Choose models, a goal and a budget", footer=True),
    Action("home", "quickstart", "g", "quickstart", "Quickstart", "The paper in miniature: minutes, no GPU", footer=True),
    Action("home", "duplicate", "d", "duplicate", "Duplicate", "Start a new run from this run's recipe", footer=True),
    Action("home", "delete", "x,delete", "delete", "Delete", "Delete this run's folder, after asking", footer=True),
    Action("home", "copy", "y", "copy", "Copy path", "Copy the path of this run's folder"),
    Action("home", "compare", "c", "compare", "Compare", "Put runs side by side: settings, curves, verdicts, winners"),
    Action("home", "report", "w", "report", "Report", "Write this run's report: Markdown, JSON and plots"),
    Action("home", "publish", "u", "publish", "Publish", "Share this run's winner on the Hub, with a model card"),
    Action("home", "recipe", "b", "recipe", "Copy recipe", "Copy this run's recipe"),
    Action("dashboard", "pause", "p", "pause", "Pause", "Pause the job after the current candidate", footer=True),
    Action("dashboard", "resume", "r", "resume", "Resume", "Continue a paused, stopped or killed run", footer=True),
    Action("dashboard", "stop", "s", "stop", "Stop", "Stop the job after the current candidate", footer=True),
    Action("dashboard", "kill", "ctrl+k", "kill", "Stop now", "Stop at once; lose the current candidate"),
    Action("dashboard", "export", "e", "export", "Export", "Make GGUF files of the winner; verify them", footer=True),
    Action("dashboard", "chat", "c", "chat", "Chat", "Chat with the winner", footer=True),
    Action("dashboard", "open", "enter", "open", "Open", "Open the selected candidate", footer=True),
    Action("dashboard", "archive", "a", "archive", "Archive", "The members that the search has bred", footer=True),
    Action("dashboard", "vote", "v", "vote", "Vote", "Say which of two answers is better, blind", footer=True),
    Action("dashboard", "filter", "slash", "filter", "Filter", "Show only candidates that contain a text"),
    Action("dashboard", "panel_fitness", "1", "panel('fitness')", "Fitness", "Scores over the course of the search"),
    Action("dashboard", "panel_candidates", "2", "panel('candidates')", "Candidates", "All candidates, sortable"),
    Action("dashboard", "panel_best", "3", "panel('best')", "Best", "The best candidate and its genome"),
    Action("dashboard", "panel_log", "4", "panel('log')", "Log", "What the job has done, and this machine"),
    Action("dashboard", "copy", "y", "copy", "Copy", "Copy the selected candidate as YAML"),
    Action("dashboard", "mattered", "m", "mattered", "What mattered", "Which numbers of the genome go along with the score"),
    Action("dashboard", "report", "w", "report", "Report", "Write the report: Markdown, JSON and plots"),
    Action("dashboard", "publish", "u", "publish", "Publish", "Share the winner on the Hub, with a model card"),
    Action("dashboard", "recipe", "b", "recipe", "Copy recipe", "Copy the run's recipe"),
    Action("plot", "zoom_in", "plus", "zoom_in", "Zoom in", "Show less of the plot, larger"),
    Action("plot", "zoom_out", "minus", "zoom_out", "Zoom out", "Show more of the plot, smaller"),
    Action("plot", "left", "left", "pan_left", "Pan left", "Move the view left"),
    Action("plot", "right", "right", "pan_right", "Pan right", "Move the view right"),
    Action("plot", "up", "up", "pan_up", "Pan up", "Move the view up"),
    Action("plot", "down", "down", "pan_down", "Pan down", "Move the view down"),
    Action("plot", "reset", "0", "reset_scales", "Whole plot", "Show the whole plot again"),
    Action("candidate", "next", "right_square_bracket", "step(1)", "Next", "The next candidate"),
    Action("candidate", "previous", "left_square_bracket", "step(-1)", "Previous", "The previous candidate"),
    Action("candidate", "against", "a", "against", "Compare with", "The next parent or equal-weight merge", footer=True),
    Action("candidate", "outcome", "w", "outcome", "Won/lost", "Show items won, items lost, or all", footer=True),
    Action("candidate", "where", "t", "where", "Dataset", "Show another split or precision", footer=True),
    Action("candidate", "copy", "y", "copy", "Copy", "Copy the recipe that rebuilds this model", footer=True),
    Action("candidate", "tab_items", "1", "tab('items')", "Items", "Items won and lost, with the answers"),
    Action("candidate", "tab_genome", "2", "tab('genome')", "Genome", "The genome by group and source"),
    Action("candidate", "tab_recipe", "3", "tab('recipe')", "Recipe", "The merge as mergekit YAML"),
    Action("vote", "left", "1,f2", "vote('left')", "Left", "The left answer is better", footer=True),
    Action("vote", "right", "2,f3", "vote('right')", "Right", "The right answer is better", footer=True),
    Action("vote", "tie", "3,f4", "vote('tie')", "Tie", "The answers are equally good", footer=True),
    Action("archive", "export", "e", "export", "Export", "Make GGUF files of this member; verify them", footer=True),
    Action("archive", "again", "r", "again", "Refresh", "Read the archive again", footer=True),
    Action("archive", "tab_members", "1", "tab('members')", "Members", "All members, sortable"),
    Action("archive", "tab_solved", "2", "tab('solved')", "Items", "Which member solves which item"),
    Action("archive", "tab_family", "3", "tab('family')", "Family", "The ancestors of the selected member"),
    Action("archive", "tab_growth", "4", "tab('growth')", "Coverage", "What the archive reached, by generation"),
    Action("comparison", "tab_choice", "1", "tab('choice')", "Runs", "Choose the runs to compare"),
    Action("comparison", "tab_verdicts", "2", "tab('verdicts')", "Verdicts", "How each run ended; the winners compared"),
    Action("comparison", "tab_curves", "3", "tab('curves')", "Curves", "The best so far over the course of each search"),
    Action("comparison", "tab_settings", "4", "tab('settings')", "Settings", "What the recipes say differently"),
    Action("mattered", "tab_numbers", "1", "tab('numbers')", "Numbers", "How each number goes along with the score"),
    Action("mattered", "tab_lines", "2", "tab('lines')", "Side by side", "The best candidates' numbers as lines"),
    Action("publishing", "start", "ctrl+s", "start", "Publish", "Send the files", footer=True, priority=True),
    Action("publishing", "copy", "y", "copy", "Copy address", "Copy the address of what was published"),
    Action("new_run", "next", "ctrl+n", "step(1)", "Next", "Go to the next step", footer=True, priority=True),
    Action("new_run", "back", "escape", "back", "Back", "To the previous step, or leave", footer=True),
    Action("new_run", "models", "1", "go('models')", "Models", "Step 1: base and sources"),
    Action("new_run", "goal", "2", "go('goal')", "Goal", "Step 2: what the child must be good at"),
    Action("new_run", "search", "3", "go('search')", "Search", "Step 3: what is searched, and for how long"),
    Action("new_run", "review", "4", "go('review')", "Review", "Step 4: checklist, recipe, start"),
    Action("new_run", "open", "ctrl+o", "open", "Open recipe", "Start from a recipe file", priority=True),
    Action("new_run", "save", "ctrl+s", "save", "Save recipe", "Write the recipe to a file", priority=True),
    Action("models", "use", "space", "use", "Use as source", "Merge this model, or leave it out again"),
    Action("models", "base", "b", "base", "Base", "Use this model as the base", footer=True),
    Action("models", "download", "d", "download", "Download", "Download this model, or cancel", footer=True),
    Action("models", "rank", "t", "rank", "Rank", "Find out which sources merge well, or cancel"),
    Action("models", "search", "slash", "search", "Search", "Filter; enter opens a folder or searches the Hub", footer=True),
    Action("models", "folder", "f", "folder", "Folder", "Choose a folder to look for models in"),
    Action("models", "again", "r", "again", "Refresh", "Scan folders and the Hub cache again"),
    Action("goal", "add", "a", "add", "Add task", "Add a ready task or a file of your own", footer=True),
    Action("goal", "remove", "x,delete", "remove", "Remove", "Remove this task", footer=True),
    Action("goal", "fit", "f", "fit_sizes", "Fit sizes", "Use as many items as there are"),
    Action("goal", "next_item", "right_square_bracket", "item(1)", "Next item", "Preview the next item"),
    Action("goal", "previous_item", "left_square_bracket", "item(-1)", "Previous item", "Preview the previous item"),
    Action("goal", "try", "t", "try", "Try parents", "Score the parents on 8 items, or cancel", footer=True),
    Action("review", "start", "s", "start", "Start", "Save the recipe, start the run, watch it", footer=True),
    Action("review", "again", "r", "again", "Check again", "Run the checklist again", footer=True),
    Action("review", "copy", "y", "copy", "Copy YAML", "Copy the recipe", footer=True),
    Action("export", "choose", "space", "choose", "Choose", "Select or deselect this type", footer=True),
    Action("export", "start", "s", "start", "Start", "Make the files and verify each of them", footer=True),
    Action("export", "stop", "x", "stop", "Cancel", "Cancel the export; finished files stay", footer=True),
    Action("export", "copy", "y", "copy", "Copy", "Copy the path, or the next command", footer=True),
    Action("export", "chat", "c", "chat", "Chat", "Chat with the exported model", footer=True),
    Action("chat", "stop", "escape", "stop_or_leave", "Stop/back", "Stop the answer, or go back", footer=True, priority=True),
    Action("chat", "send", "enter", "send", "Send", "Send the message", footer=True),
    Action("chat", "line", "ctrl+j", "new_line", "New line", "Start a new line in the message"),
    Action("chat", "compare", "ctrl+o", "compare", "Compare", "Also ask a second model", footer=True, priority=True),
    Action("chat", "blind", "ctrl+b", "blind", "Blind", "Hide the names until you have voted", footer=True, priority=True),
    Action("chat", "left", "f2", "vote('left')", "Left", "The left answer is better", priority=True),
    Action("chat", "right", "f3", "vote('right')", "Right", "The right answer is better", priority=True),
    Action("chat", "tie", "f4", "vote('tie')", "Tie", "The answers are equally good", priority=True),
    Action("chat", "clear", "ctrl+l", "clear", "Clear", "Start a new conversation", footer=True, priority=True),
    Action("chat", "settings", "ctrl+g", "sampling", "Sampling", "Temperature, system message and more", priority=True),
    Action("chat", "copy", "ctrl+r", "copy", "Copy answer", "Copy the last answer", priority=True),
    Action("doctor", "again", "r", "again", "Check again", "Run all checks again", footer=True),
    Action("doctor", "copy", "y", "copy", "Copy command", "Copy the command that fixes this", footer=True),
    Action("settings", "save", "ctrl+s", "save", "Save", "Save the settings", footer=True, priority=True),
)  # fmt: skip


def actions_of(*scopes: str) -> tuple[Action, ...]:
    """The actions of some scopes, in the registry's order."""
    return tuple(action for action in ACTIONS if action.scope in scopes)
