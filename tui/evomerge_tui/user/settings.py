"""The user's settings: theme, symbols, animations, priority, folders, keys. One YAML file; the schema is `Settings`.

The hub's token is not one of them: it lies where the hub's own library keeps it, and is never shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from platformdirs import user_config_path

from evomerge_core.errors import nearest_name
from evomerge_tui.keys.actions import ACTIONS
from evomerge_tui.keys.clashes import clash

if TYPE_CHECKING:
    from evomerge_core.files.yaml_file import YamlFile

Theme = Literal["dark", "light", "ansi"]
THEMES: tuple[Theme, ...] = ("dark", "light", "ansi")
Priority = Literal["low", "normal"]
PRIORITIES: tuple[Priority, ...] = ("low", "normal")


@dataclass(frozen=True)
class Settings:
    """`unicode` off: only ASCII is written to the terminal. `job_priority` is that of runs, and of exports that
    screens start. `runs_folder` is where new runs are created, `model_folders` are searched for models besides the hub's cache.
    `notices`: the terminal's desktop is told when a run ends. `chat_history`: conversations are kept for the next time.
    `keys` maps ids of actions to other keys."""

    theme: Theme = "dark"
    unicode: bool = True
    animations: bool = True
    job_priority: Priority = "low"
    runs_folder: str = "runs"
    model_folders: tuple[str, ...] = ()
    notices: bool = True
    chat_history: bool = True
    keys: Mapping[str, str] = field(default_factory=dict)


def settings_path() -> Path:
    """Where the settings are kept."""
    return user_config_path("evomerge-tui", appauthor=False) / "settings.yaml"


def load_settings(path: Path | None = None) -> Settings:
    """The settings, with defaults for what the file leaves out. Raises `InputError` naming file, line and remedy."""
    path = path or settings_path()
    if not path.exists() or (path.is_file() and not path.read_bytes().strip()):
        # the first screen need not wait for the libraries that read and check a file
        return Settings()
    from evomerge_core.files.yaml_file import read_yaml

    file = read_yaml(path)
    file.require_keys((), [setting.name for setting in fields(Settings)])
    settings = _checked(file)
    known = [action.id for action in ACTIONS]
    for name in settings.keys:
        if name not in known:
            near = nearest_name(name, known)
            remedy = "`evomerge-tui` shows all with ?" if near is None else f"did you mean {near!r}?"
            raise file.error(("keys", name), f"unknown action {name!r}", remedy)
    if (found := clash(settings.keys)) is not None:
        changed, other, key = found
        problem = f"the key of {changed.id!r}, {key!r}, is the key of {other.id!r} already"
        raise file.error(("keys", changed.id), problem, "give one of them another key")
    return settings


def save_settings(settings: Settings, path: Path | None = None) -> None:
    """Writes what differs from the defaults, completely or not at all."""
    from evomerge_core.files.durable import write_whole
    from evomerge_core.files.yaml_file import dump_yaml

    usual = asdict(Settings())
    changed: dict[str, Any] = {name: value for name, value in asdict(settings).items() if value != usual[name]}
    write_whole(path or settings_path(), dump_yaml(changed or {"theme": settings.theme}))


def save_hub_token(token: str) -> Path:
    """Keeps the hub's token where its own library looks for it, readable by this user only; returns the file."""
    from huggingface_hub import constants

    from evomerge_core.files.durable import write_whole

    path = Path(constants.HF_TOKEN_PATH)
    write_whole(path, token.strip(), mode=0o600)
    return path


def hub_token_is_set() -> bool:
    """Whether the hub's library finds a token (a file, or HF_TOKEN)."""
    from huggingface_hub import get_token

    return get_token() is not None


def _checked(file: YamlFile) -> Settings:
    """The file's values as settings; pydantic checks them against the fields of `Settings`."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Settings).validate_json(json.dumps(file.data), strict=True)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        location = tuple(problem["loc"])
        name = ".".join(str(part) for part in location)
        raise file.error(location, f"key '{name}': {problem['msg'].lower()}") from error
