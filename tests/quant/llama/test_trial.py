"""llama.cpp ends its process on some files of somebody else's: that is found out in a process of its own."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_quant.chat.chat import open_chat
from evomerge_quant.llama import trial_process
from evomerge_quant.llama.context import LlamaContext, LlamaError
from evomerge_quant.llama.trial import try_gguf
from support.tiny_gguf import save_folder, write_gguf


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("trial")
    return write_gguf(save_folder(place / "model"), place / "sound.gguf")


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def repeated_token(data: bytes) -> bytes:
    assert data.count(_text("A") + _text("B")) == 1
    return data.replace(_text("A") + _text("B"), _text("A") + _text("A"))


def cut_short(data: bytes) -> bytes:
    return data[:-5000]


def no_heads(data: bytes) -> bytes:
    key = _text("qwen2.attention.head_count") + struct.pack("<I", 4)
    assert data.count(key) == 1
    return data.replace(key + struct.pack("<I", 4), key + struct.pack("<I", 0))


@pytest.mark.parametrize("spoil", [repeated_token, cut_short, no_heads])
def test_a_file_that_can_not_be_used_is_one_line_and_this_process_lives(
    spoil: Callable[[bytes], bytes], sound: Path, tmp_path: Path
) -> None:
    path = tmp_path / "theirs.gguf"
    path.write_bytes(spoil(sound.read_bytes()))
    with pytest.raises(InputError) as refusal:
        open_chat(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert str(refusal.value).isprintable()


def test_a_repeated_token_would_end_the_process_that_opens_the_file(sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "theirs.gguf"
    path.write_bytes(repeated_token(sound.read_bytes()))
    code = (
        "import sys; from pathlib import Path; from evomerge_quant.llama.model import open_gguf; open_gguf(Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=False)
    if done.returncode in (0, 1):
        pytest.skip("this llama.cpp reads such a file, or says what is wrong with it")
    with pytest.raises(InputError, match="crashes on it"):
        try_gguf(path)


def test_a_sound_file_passes_and_is_tried_anew_once_it_changes(sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(sound.read_bytes())
    try_gguf(path)
    path.write_bytes(cut_short(sound.read_bytes()))
    with pytest.raises(InputError):
        try_gguf(path)


def test_a_file_that_opens_and_cannot_be_read_is_refused(
    sound: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trial_process.main(sound) == 0

    def fail(*_: object) -> None:
        raise LlamaError("llama_decode gave -3")

    monkeypatch.setattr(LlamaContext, "read", fail)
    assert trial_process.main(sound) == 2
    assert capsys.readouterr().out.startswith(f"{sound}: llama.cpp can't read a token with it (llama_decode gave -3); ")
