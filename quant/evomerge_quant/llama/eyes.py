"""The eyes of a GGUF file: its `mmproj` file, through which llama.cpp turns pictures into what stands for them in a prompt."""

from __future__ import annotations

import ctypes
import secrets
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from evomerge_core.errors import InputError
from evomerge_core.files.picture import Picture
from evomerge_quant.llama.context import LlamaContext, LlamaError, TokenRun
from evomerge_quant.llama.library import default_threads, last_complaint, listen_to, load_library
from evomerge_quant.llama.model import LlamaModel, require_gguf

_IMAGE = 1  # MTMD_INPUT_CHUNK_TYPE_IMAGE
# What transformers' processors write around a picture besides the marks that llama.cpp writes, by architecture.
_AROUND = {"gemma3": "\n\n"}
# Architectures whose pictures transformers makes square, and llama.cpp pads instead.
_SQUARE = frozenset({"gemma3"})
# A longer side would take gigabytes to prepare.
_LONGEST_SIDE = 4096


@dataclass(frozen=True)
class PictureSpan:
    """What stands for a picture, or for one of its tiles, in a prompt: so many tokens, which count for so many positions.

    `features` are float32 [tokens, width]. Spans are equal that show the same.
    """

    picture: str
    tile: int
    tokens: int
    positions: int
    features: np.ndarray = field(compare=False, repr=False)
    chunk: Any = field(compare=False, repr=False)


# A token, or a part of a picture.
Unit = int | PictureSpan


class LlamaEyes:
    """An open `mmproj` file for an open model. Close it before the model, or use it in a `with`."""

    def __init__(self, path: Path, model: LlamaModel, handle: Any, library: Any, marker: bytes) -> None:
        self.path = path
        self.model = model
        self._handle = handle
        self._library = library
        self._marker = marker
        self._width = int(model.library.llama_model_n_embd_inp(model.handle))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Frees tower and projector."""
        if self._handle is not None:
            self._library.mtmd_free(self._handle)
            self._handle = None

    @property
    def around(self) -> str:
        """The text that belongs before and behind each picture."""
        return _AROUND.get(self._architecture, "")

    @property
    def _architecture(self) -> str:
        return self.model.metadata.get("general.architecture", "")

    def look(self, picture: Picture) -> tuple[Unit, ...]:
        """What stands for the picture in a prompt, with the family's marks. LlamaError when llama.cpp can't read it."""
        chunks = self._library.mtmd_input_chunks_init()
        try:
            self._split(picture, chunks)
            return tuple(self._units(picture.sha256, chunks))
        finally:
            self._library.mtmd_input_chunks_free(chunks)

    def show(self, context: LlamaContext, span: PictureSpan, position: int, sequence: int = 0) -> None:
        """Reads a part of a picture into a sequence of the model's context, from `position` on. LlamaError when it can't."""
        if self._library.mtmd_decode_use_non_causal(self._handle, span.chunk) and span.tokens > context.batch:
            # llama.cpp ends the process where a picture that sees itself whole doesn't fit into one batch
            raise LlamaError(f"a picture takes {span.tokens} tokens at once, and there is room for {context.batch}")
        features = np.ascontiguousarray(span.features)
        after = ctypes.c_int32(0)
        last_complaint()
        status = self._library.mtmd_helper_decode_image_chunk(
            self._handle,
            context.handle,
            span.chunk,
            features.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            position,
            sequence,
            context.batch,
            ctypes.byref(after),
            self._library.mtmd_helper_post_decode_callback(0),
            None,
        )
        if status != 0:
            raise LlamaError(last_complaint() or f"reading a picture gave {status}")

    def _split(self, picture: Picture, chunks: Any) -> None:
        image = _fitting(picture.image, square=self._architecture in _SQUARE)
        pixels = image.tobytes()
        library = self._library
        bitmap = library.mtmd_bitmap_init(*image.size, (ctypes.c_uint8 * len(pixels)).from_buffer_copy(pixels))
        text = library.mtmd_input_text(self._marker, len(self._marker), False, True)
        last_complaint()
        try:
            bitmaps = (ctypes.c_void_p * 1)(bitmap)
            status = library.mtmd_tokenize(self._handle, chunks, ctypes.byref(text), bitmaps, 1)
        finally:
            library.mtmd_bitmap_free(bitmap)
        if status != 0:
            raise LlamaError(last_complaint() or f"preparing a picture gave {status}")

    def _units(self, sha256: str, chunks: Any) -> Iterator[Unit]:
        library = self._library
        tile = 0
        for number in range(library.mtmd_input_chunks_size(chunks)):
            chunk = library.mtmd_input_chunks_get(chunks, number)
            if library.mtmd_input_chunk_get_type(chunk) != _IMAGE:
                count = ctypes.c_size_t(0)
                tokens = library.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
                for token in tokens[: count.value]:
                    # It looks for a token of two line feeds between tiles and the whole, which not every vocabulary has.
                    yield from [token] if token >= 0 else self.model.tokenize("\n\n")
                continue
            yield self._span(sha256, tile, chunk)
            tile += 1

    def _span(self, sha256: str, tile: int, chunk: Any) -> PictureSpan:
        library = self._library
        tokens = int(library.mtmd_input_chunk_get_n_tokens(chunk))
        last_complaint()
        status = library.mtmd_encode_chunk(self._handle, chunk)
        if status != 0:
            raise LlamaError(last_complaint() or f"looking at a picture gave {status}")
        pointer = library.mtmd_get_output_embd(self._handle)
        features = np.ctypeslib.as_array(pointer, shape=(tokens, self._width)).copy()
        kept = library.mtmd_input_chunk_get_placeholder(chunk)  # where its tokens stand, without the pixels
        span = PictureSpan(sha256, tile, tokens, int(library.mtmd_input_chunk_get_n_pos(chunk)), features, kept)
        weakref.finalize(span, library.mtmd_input_chunk_free, kept)
        return span


def open_eyes(model: LlamaModel, path: Path) -> LlamaEyes:
    """Opens the `mmproj` file of a model. InputError names the file when it is missing, no such file, or another model's."""
    require_gguf(path)
    library = _load_mtmd()
    last_complaint()
    name = str(path).encode("utf-8")
    if not library.mtmd_get_cap_from_file(name).inp_vision:
        raise InputError(
            f"{path}: is no mmproj file with a vision tower", remedy="give the model's own, such as mmproj-...gguf"
        )
    marker = f"<{secrets.token_hex(16)}>".encode()
    params = library.mtmd_context_params_default()
    params.media_marker = marker
    params.n_threads = default_threads()
    params.print_timings = params.warmup = False
    params.use_gpu = bool(model.library.llama_supports_gpu_offload())
    last_complaint()
    handle = library.mtmd_init_from_file(name, model.handle, params)
    if not handle and params.use_gpu:
        params.use_gpu = False
        handle = library.mtmd_init_from_file(name, model.handle, params)
    if not handle:
        reason = last_complaint() or "no reason given"
        raise InputError(
            f"{path}: llama.cpp can't open it for {model.path.name} ({reason})", remedy="give the model's own mmproj"
        )
    return LlamaEyes(path, model, handle, library, marker)


def prompt_units(parts: Sequence[str | tuple[Unit, ...]], tokenize: Callable[[str], list[int]], around: str = "") -> list[Unit]:
    """A prompt of texts, and of what stands for pictures between them; `around` is the eyes' own."""
    units: list[Unit] = []
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        units += (*tokenize(text + around), *part)
        text = around
    return units + tokenize(text)


def read_units(
    context: LlamaContext, eyes: LlamaEyes | None, units: Sequence[Unit], *, position: int = 0, wanted: int = 0
) -> np.ndarray:
    """Reads tokens and pictures into sequence 0, from `position` on; the logits after the last `wanted` units.

    These are tokens. Float32 [wanted, vocabulary]. LlamaError when the cells don't suffice.
    """
    logits = np.empty((0, context.model.vocabulary_size), dtype=np.float32)
    for run in runs(units):
        if isinstance(run, PictureSpan):
            assert eyes is not None
            eyes.show(context, run, position)
            position += run.positions
            continue
        (logits,) = context.read([TokenRun(0, position, run, wanted=min(wanted, len(run)))])
        position += len(run)
    return logits


def _fitting(image: Any, *, square: bool) -> Any:
    width, height = image.size
    share = min(1.0, _LONGEST_SIDE / max(width, height))
    size = (max(1, round(width * share)), max(1, round(height * share)))
    if square:
        size = (max(size), max(size))
    return image if size == image.size else image.resize(size)


def runs(units: Sequence[Unit]) -> Iterator[list[int] | PictureSpan]:
    """Tokens that follow one another together, and each part of a picture by itself."""
    tokens: list[int] = []
    for unit in units:
        if isinstance(unit, int):
            tokens.append(unit)
            continue
        if tokens:
            yield tokens
            tokens = []
        yield unit
    if tokens:
        yield tokens


def cells_of(units: Sequence[Unit]) -> int:
    """How many cells of a context they take."""
    return sum(1 if isinstance(unit, int) else unit.tokens for unit in units)


def positions_of(units: Sequence[Unit]) -> int:
    """How many positions they count for: the tokens of a picture may share some."""
    return sum(1 if isinstance(unit, int) else unit.positions for unit in units)


@cache
def _load_mtmd() -> Any:
    """The binding's functions for pictures, their log silenced. InputError where they are missing."""
    try:
        from llama_cpp import mtmd_cpp as library
    except (ImportError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        remedy = "build a newer llama-cpp-python with `pip install --upgrade llama-cpp-python`"
        raise InputError(f"llama-cpp-python can't read pictures ({reason})", remedy=remedy) from error
    load_library()
    listen_to(library.mtmd_log_set, library.mtmd_helper_log_set)
    return library
