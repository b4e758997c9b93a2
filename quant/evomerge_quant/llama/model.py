"""A GGUF file opened with llama.cpp: its metadata, and text to tokens and back."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from evomerge_core.errors import InputError
from evomerge_quant.llama.library import has_amx, last_complaint, load_library
from evomerge_quant.llama.offload import choose_layers

_MAGIC = b"GGUF"


class LlamaModel:
    """An open GGUF file. Close it, or use it in a `with`; contexts made from it must be closed before."""

    def __init__(self, path: Path, handle: Any, library: Any, offloaded: int = 0) -> None:
        self.path = path
        self._offloaded = offloaded
        self.handle = handle
        self.library = library
        self._vocab = library.llama_model_get_vocab(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Frees the model, which can't be used afterwards."""
        if self.handle is not None:
            self.library.llama_model_free(self.handle)
            self.handle = None

    @cached_property
    def metadata(self) -> dict[str, str]:
        """The file's key-value pairs that are single values, as text."""
        count = self.library.llama_model_meta_count(self.handle)
        key, value = self.library.llama_model_meta_key_by_index, self.library.llama_model_meta_val_str_by_index
        return {_meta(key, self.handle, i): _meta(value, self.handle, i) for i in range(count)}

    @property
    def vocabulary_size(self) -> int:
        return int(self.library.llama_vocab_n_tokens(self._vocab))

    @property
    def training_context(self) -> int:
        """Positions that the model was trained on."""
        return int(self.library.llama_model_n_ctx_train(self.handle))

    @property
    def size(self) -> int:
        """Bytes of the weights."""
        return int(self.library.llama_model_size(self.handle))

    @property
    def cell_bytes(self) -> int:
        """Bytes of one token's keys and values in 16 bits, all layers."""
        layers = self.library.llama_model_n_layer(self.handle)
        heads = self.library.llama_model_n_head_kv(self.handle)
        default = self.library.llama_model_n_embd(self.handle) // max(1, self.library.llama_model_n_head(self.handle))
        attention = f"{self.metadata.get('general.architecture', '')}.attention"
        widths = sum(int(self.metadata.get(f"{attention}.{part}_length", default)) for part in ("key", "value"))
        return int(layers * heads * widths * 2)

    @property
    def gpu_share(self) -> float:
        """The part of the layers, and so of all keys and values, that lies on the GPU."""
        layers = int(self.library.llama_model_n_layer(self.handle))
        # the first of llama.cpp's layers that go there is the head
        return min(layers, max(0, self._offloaded - 1)) / max(1, layers)

    @property
    def end(self) -> int | None:
        """The token that ends a text; None when the file names none."""
        token = int(self.library.llama_vocab_eos(self._vocab))
        return None if token < 0 else token

    @property
    def begin(self) -> int | None:
        """The token that begins a text; None when the file names none."""
        token = int(self.library.llama_vocab_bos(self._vocab))
        return None if token < 0 else token

    @cached_property
    def ends(self) -> frozenset[int]:
        """Every token that ends an answer."""
        is_end = self.library.llama_vocab_is_eog
        return frozenset(token for token in range(self.vocabulary_size) if is_end(self._vocab, token))

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids; special tokens are known by their text. `special` adds what the file puts around every text."""
        data = text.encode("utf-8")
        room = len(data) + 8
        while True:
            tokens = (ctypes.c_int32 * room)()
            count = self.library.llama_tokenize(self._vocab, data, len(data), tokens, room, special, True)
            if count >= 0:
                return tokens[:count]
            room = -count

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens, without special ones; bytes that are not UTF-8 become U+FFFD."""
        ids = (ctypes.c_int32 * len(tokens))(*tokens)
        room = 16 * len(tokens) + 16
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = self.library.llama_detokenize(self._vocab, ids, len(tokens), buffer, room, False, False)
            if count >= 0:
                return buffer.raw[:count].decode("utf-8", errors="replace")
            room = -count

    def piece(self, token: int) -> bytes:
        """A token's part of a text, UTF-8 that may end within a character; empty for special tokens."""
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = self.library.llama_token_to_piece(self._vocab, token, buffer, room, 0, False)
            if count >= 0:
                return buffer.raw[:count]
            room = -count

    def token_text(self, token: int) -> str:
        """A token as the vocabulary writes it, special ones too."""
        return str(self.library.llama_vocab_get_text(self._vocab, token).decode("utf-8", errors="replace"))


@dataclass(frozen=True)
class Offload:
    """How many of a model's layers go to the GPU, as llama.cpp counts them: the head and the last ones."""

    layers: int


def open_gguf(path: Path, *, offload: Offload | None = None) -> LlamaModel:
    """Opens a GGUF file, its weights mapped; without `offload` as many layers go to the GPU as fit there. InputError names the
    file when it is missing, not a GGUF, or can't be loaded."""
    library = load_library()
    require_gguf(path)
    params = library.llama_model_default_params()
    layers = choose_layers(path) if offload is None else offload.layers
    # Compilers leave out most of the tile configuration that llama.cpp's AMX product loads, and the process is killed
    # (ggml-org/llama.cpp issue 20824). That product works on repacked weights only.
    params.use_extra_bufts = params.use_extra_bufts and not has_amx()
    last_complaint()
    params.n_gpu_layers = layers
    handle = library.llama_model_load_from_file(str(path).encode("utf-8"), params)
    if not handle and layers:
        # A file that a card has no room for is none the worse for it.
        params.n_gpu_layers = layers = 0
        handle = library.llama_model_load_from_file(str(path).encode("utf-8"), params)
    if not handle:
        raise InputError(f"{path}: llama.cpp can't load it ({last_complaint() or 'no reason given'}); export it again")
    return LlamaModel(path, handle, library, layers)


def require_gguf(path: Path) -> None:
    """InputError for what is no GGUF file."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; name a GGUF file")
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); check the file's permissions") from None
    if magic != _MAGIC:
        raise InputError(f"{path}: is not a GGUF file; name one, or make one with `evomerge-tui export`")


def _meta(read: Callable[..., int], handle: Any, index: int) -> str:
    room = 256
    while True:
        buffer = ctypes.create_string_buffer(room)
        count = read(handle, index, buffer, room)
        if count < room:
            return buffer.value.decode("utf-8", errors="replace")
        room = count + 1
