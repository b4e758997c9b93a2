"""What transformers reads of a model's folder. Every such call is made here, so that none of them runs or fetches code.

`trust_remote_code=False` must be given; without it, transformers asks at the terminal whether to run the model's code.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.json_file import read_json
from evomerge_core.sources.stored.picture_sizes import require_usual_sizes
from evomerge_core.sources.stored.processor_template import processor_template
from evomerge_core.sources.stored.tokenizer_files import why_unreadable

_AS_DATA: Mapping[str, Any] = {"trust_remote_code": False, "local_files_only": True}
# What the libraries raise for files that they can't make sense of.
_UNREADABLE = (ValueError, OSError, LookupError, TypeError, AttributeError, ImportError)
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
_CHOICES = ("attn_implementation", "experts_implementation")
# Keys of config.json that may name a kernel to fetch from the hub and run, as `owner/name`; without them transformers chooses.
KERNEL_SETTINGS = frozenset({*_CHOICES, *(f"_{name}" for name in _CHOICES)})


def read_tokenizer(folder: Path) -> Any:
    """transformers' tokenizer of a model's folder.

    InputError when it is missing, when it can't be read, and when it is code of the model's own.
    """
    from transformers import AutoTokenizer

    # transformers would take a class's few special tokens for the whole vocabulary, or name a wrong cause.
    unreadable = why_unreadable(folder)
    if unreadable is not None:
        raise unreadable
    try:
        tokenizer = _sound(folder, AutoTokenizer.from_pretrained(folder, **_AS_DATA))
        if not tokenizer.chat_template:
            tokenizer.chat_template = processor_template(folder)
        return tokenizer
    except Exception as error:
        # The tokenizers library raises plain exceptions for a file that it can't make sense of.
        if type(error) is not Exception and not isinstance(error, _UNREADABLE):
            raise
        _refuse_own_code(
            error,
            folder / "tokenizer_config.json",
            "AutoTokenizer",
            "take auto_map out and set tokenizer_class to PreTrainedTokenizerFast where tokenizer.json is the whole tokenizer, "
            "or choose another model",
        )
        raise InputError(
            f"transformers can't read the tokenizer ({_reason(error)})", where=folder, remedy="copy it again"
        ) from None


def _sound(folder: Path, tokenizer: Any) -> Any:
    """The tokenizer, unless its length, which every text is compared with, is no number."""
    length = tokenizer.model_max_length
    if isinstance(length, bool) or not isinstance(length, int | float):
        where = f"{folder / 'tokenizer_config.json'}: model_max_length"
        raise InputError(f"must be a number, not {ascii(length)[:60]}", where=where, remedy="correct or remove it")
    return tokenizer


def read_config(folder: Path) -> Any:
    """transformers' config of a model's folder, without what would have the model fetch code.

    InputError when it is missing, when transformers doesn't know the type, and when it is code of the model's own.
    """
    from transformers import AutoConfig

    path = folder / "config.json"
    if not path.is_file():
        raise InputError("not found", where=path, remedy="name a model folder")
    try:
        config: Any = AutoConfig.from_pretrained(folder, **_AS_DATA)
    except _UNREADABLE as error:
        _refuse_own_code(error, path, "AutoConfig", "choose a model whose model_type transformers knows")
        raise InputError(
            f"not a model that can be scored ({_reason(error)})", where=path, remedy="choose another base"
        ) from None
    return _without_code(config)


def load_network(folder: Path, dtype: Any) -> Any:
    """The causal language model of a folder with its weights, from safetensors alone."""
    from transformers import AutoModelForCausalLM

    config = read_config(folder)
    return AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=dtype, use_safetensors=True, **_AS_DATA)


def load_seeing_network(folder: Path, dtype: Any) -> Any:
    """The whole vision-language model of a folder with its weights, from safetensors alone; InputError as `load_eyes`."""
    return _load_seeing(folder, read_config(folder), dtype)


def read_image_processor(folder: Path) -> Any:
    """transformers' image processor of a model's folder, the one that needs Pillow alone.

    InputError when it is missing, when it can't be read, and when it is code of the model's own.
    """
    from transformers import AutoImageProcessor

    path = next((folder / name for name in _PROCESSORS if (folder / name).is_file()), folder / _PROCESSORS[0])
    if path.is_file():
        require_usual_sizes(path)
    try:
        read: Any = AutoImageProcessor.from_pretrained
        return read(folder, backend="pil", **_AS_DATA)
    except _UNREADABLE as error:
        _refuse_own_code(error, path, "AutoImageProcessor", "choose a model whose image processor transformers knows")
        raise InputError(
            f"transformers can't read how pictures are prepared ({_reason(error)})", where=path, remedy="copy it again"
        ) from None


def load_eyes(folder: Path, dtype: Any) -> Any:
    """A vision-language model without its layers: tower and projector with their weights, from safetensors alone.

    InputError when transformers doesn't know the type, and when weights of tower or projector are missing.
    """
    config = read_config(folder)
    text = config.get_text_config()
    text.num_hidden_layers = 0
    if getattr(text, "layer_types", None):
        text.layer_types = []
    return _load_seeing(folder, config, dtype)


def _load_seeing(folder: Path, config: Any, dtype: Any) -> Any:
    from transformers import AutoModelForImageTextToText

    try:
        with _quiet_loading():
            loaded: Any = AutoModelForImageTextToText.from_pretrained(
                folder, config=config, dtype=dtype, use_safetensors=True, output_loading_info=True, **_AS_DATA
            )
    except _UNREADABLE as error:
        raise InputError(
            f"transformers can't build its vision tower ({_reason(error)})", where=folder, remedy="choose another model"
        ) from None
    model, report = loaded
    if report["missing_keys"]:
        name = sorted(report["missing_keys"])[0]
        raise InputError(f"has no tensor {name}", where=folder, remedy="download or copy the model again")
    return model.eval().requires_grad_(False)


@contextmanager
def _quiet_loading() -> Iterator[None]:
    """Without transformers' bar, and without its report of the layers that are left out on purpose."""
    from transformers.utils import logging as own

    bars: Any = own
    told, shown = logging.getLogger("transformers.modeling_utils"), bars.is_progress_bar_enabled()
    before, told.disabled = told.disabled, True
    bars.disable_progress_bar()
    try:
        yield
    finally:
        told.disabled = before
        if shown:
            bars.enable_progress_bar()


def knows_model(config: Mapping[str, Any]) -> bool:
    """Whether transformers itself has the type of model that a config.json names."""
    from transformers import CONFIG_MAPPING

    return config.get("model_type") in CONFIG_MAPPING


def knows_tokenizer(settings: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether transformers itself has the tokenizer that a tokenizer_config.json beside that config.json names."""
    from transformers.models.auto.tokenization_auto import tokenizer_class_from_name

    named = settings.get("tokenizer_class")
    if not isinstance(named, str):
        return knows_model(config)
    plain = named.removesuffix("Fast")
    return any(tokenizer_class_from_name(name) is not None for name in (plain, f"{plain}Fast"))


def _without_code(config: Any) -> Any:
    # The network is built from the config later, and would look there for its class.
    if hasattr(config, "auto_map"):
        del config.auto_map
    for name in _CHOICES:
        setattr(config, f"_{name}", None)
    return config


def _refuse_own_code(error: Exception, path: Path, loader: str, remedy: str) -> None:
    """InputError when the error asks to trust the model, and the settings name code of its own."""
    if "trust_remote_code" not in str(error) or not path.is_file():
        return
    named = read_json(path).get("auto_map")
    code = named.get(loader) if isinstance(named, dict) else named
    if code:
        first = next((name for name in code if name), code) if isinstance(code, list) else code
        raise InputError(f"{first} is Python of the model's own, which is never run", where=f"{path}: auto_map", remedy=remedy)


def _reason(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:160]
