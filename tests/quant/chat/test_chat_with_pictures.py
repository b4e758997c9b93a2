"""A chat sees what transformers sees; a picture that can't be shown is one line, and the chat goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from PIL import Image

from evomerge_core.errors import InputError
from evomerge_core.files.picture import Picture
from evomerge_quant.chat.chat import Chat, Reply, Trimmed, open_chat
from evomerge_quant.chat.conversation import Conversation
from evomerge_quant.chat.sampling import Sampling
from evomerge_quant.llama.eyes import LlamaEyes
from evomerge_quant.llama.mmproj_file import find_mmproj
from evomerge_tui.cli.main import main
from support.seeing_gguf_models import SHOWN, SeeingOracle, random_picture
from support.tiny_gguf import save_folder, write_gguf

GREEDY = Sampling(temperature=0, max_tokens=10)
FIRST, SECOND = random_picture(32, 32), random_picture(32, 32, seed=1)


@pytest.fixture
def chat(seeing_files: Callable[[str], Any]) -> Iterator[Chat]:
    with open_chat(seeing_files("smolvlm").text, context=512) as opened:
        yield opened


def answer(chat: Chat, conversation: Conversation) -> Reply:
    *_, reply = chat.reply(conversation, GREEDY, Event())
    assert isinstance(reply, Reply)
    return reply


def oracle_answer(oracle: SeeingOracle, chat: Chat, conversation: Conversation) -> str:
    """What transformers writes, in the file's own spelling of its tokens."""
    prompt = "".join(
        f"<|im_start|>{m.role}\n{SHOWN[oracle.family] * len(m.pictures)}{m.text}<|im_end|>\n" for m in conversation.messages
    )
    images = [picture.image for message in conversation.messages for picture in message.pictures]
    tokens = oracle.answer(f"{prompt}<|im_start|>assistant\n", images, GREEDY.max_tokens)
    return b"".join(map(chat.model.piece, tokens)).decode(errors="replace")


@pytest.mark.parametrize("family", ["smolvlm", "gemma3"])
def test_answers_about_pictures_are_transformers(family: str, seeing_files: Callable[[str], Any]) -> None:
    """Two turns with a picture each; the second goes on from what the context holds of the first."""
    files = seeing_files(family)
    oracle = SeeingOracle(files.folder, family)
    with open_chat(files.text, context=512) as chat:
        asked = Conversation.begin("be brief").plus("user", "what is it?", [FIRST])
        first = answer(chat, asked)
        assert first.text == oracle_answer(oracle, chat, asked)
        more = asked.plus("assistant", "a fox").plus("user", "and this?", [SECOND])
        assert answer(chat, more).text == oracle_answer(oracle, chat, more)
        other = Conversation.begin("be brief").plus("user", "what is it?", [SECOND])
        assert answer(chat, other).prompt_tokens == first.prompt_tokens
        assert answer(chat, asked).text == first.text


def test_a_picture_is_looked_at_once(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    look = LlamaEyes.look

    def counted(eyes: LlamaEyes, picture: Picture) -> Any:
        looked.append(picture.sha256)
        return look(eyes, picture)

    monkeypatch.setattr(LlamaEyes, "look", counted)
    first = answer(chat, Conversation.begin(None).plus("user", "what is it?", [FIRST]))
    answer(chat, first.conversation.plus("user", "why?"))
    assert looked == [FIRST.sha256]


def test_old_turns_with_pictures_make_room(chat: Chat) -> None:
    conversation = Conversation.begin(None)
    trimmed = 0
    for turn in range(8):
        events = list(chat.reply(conversation.plus("user", "what is it?", [random_picture(32, 32, turn)]), GREEDY, Event()))
        trimmed += sum(event.turns for event in events if isinstance(event, Trimmed))
        assert isinstance(events[-1], Reply)
        assert events[-1].prompt_tokens < chat.context.cells
        conversation = events[-1].conversation
    assert trimmed > 0


def test_a_file_without_eyes_says_so_and_goes_on(chat_file: Path) -> None:
    with open_chat(chat_file) as chat:
        with pytest.raises(InputError, match=r"model.gguf: can't see pictures: no mmproj file .* --mmproj"):
            answer(chat, Conversation.begin(None).plus("user", "what is it?", [FIRST]))
        assert answer(chat, Conversation.begin(None).plus("user", "the cat")).tokens > 0


def test_the_eyes_of_another_model_are_refused(seeing_files: Callable[[str], Any], tmp_path: Path) -> None:
    files = seeing_files("smolvlm")
    broken = tmp_path / "mmproj-broken.gguf"
    broken.write_bytes(files.mmproj.read_bytes()[:3000])
    reasons = {files.text: "is no mmproj file", broken: "mmproj-broken.gguf", tmp_path / "no.gguf": "no such file"}
    for mmproj, reason in reasons.items():
        with pytest.raises(InputError, match=reason):
            open_chat(files.text, mmproj=mmproj)
    narrow = write_gguf(save_folder(tmp_path / "narrow", hidden_size=32), tmp_path / "narrow.gguf")
    with pytest.raises(InputError, match=r"mmproj.*can't open it for narrow.gguf .*mismatch"):
        open_chat(narrow, mmproj=files.mmproj)


@pytest.mark.parametrize("size", [(1, 1), (3, 300), (300, 3), (5000, 20)])
def test_unusual_shapes_are_shown_or_refused_in_one_line(size: tuple[int, int], chat: Chat) -> None:
    picture = Picture(Image.new("RGB", size, "red"), str(size))
    asked = Conversation.begin(None).plus("user", "what?", [picture])
    if size[0] == size[1]:
        assert answer(chat, asked).prompt_tokens > 4
    else:
        with pytest.raises(InputError, match=rf"^llama.cpp can't show .* {size[0]} x {size[1]} pixels.*crop or resize it$"):
            answer(chat, asked)
    assert answer(chat, Conversation.begin(None).plus("user", "what?")).tokens > 0


def test_the_eyes_lie_beside_the_file_under_its_name(tmp_path: Path) -> None:
    def make(*names: str) -> None:
        for name in names:
            (tmp_path / name).write_bytes(b"GGUF")

    make("A-1B-v1.0-Q8_0.gguf", "B-1B-v1.0-Q8_0.gguf", "mmproj-A-1B-v1.0-F16.gguf")
    assert find_mmproj(tmp_path / "A-1B-v1.0-Q8_0.gguf") == tmp_path / "mmproj-A-1B-v1.0-F16.gguf"
    make("mmproj-B-1B-v1.0-F16.gguf")
    assert find_mmproj(tmp_path / "B-1B-v1.0-Q8_0.gguf") == tmp_path / "mmproj-B-1B-v1.0-F16.gguf"
    assert find_mmproj(tmp_path / "C-1B-v1.0-Q8_0.gguf") is None
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "mmproj-model-f16.gguf").write_bytes(b"GGUF")
    assert find_mmproj(alone / "C-1B-Q4_K_M.gguf") == alone / "mmproj-model-f16.gguf"


def test_the_eyes_of_a_longer_name_and_those_that_failed_are_not_a_file_s(tmp_path: Path) -> None:
    for name, size in {"mmproj-A-F16": 4, "mmproj-A-2-F16": 9, "mmproj-A-F16.suspect": 9, "mmproj-B-F16.suspect": 9}.items():
        (tmp_path / f"{name}.gguf").write_bytes(b"GGUF" * size)
    assert find_mmproj(tmp_path / "A-Q8_0.gguf") == tmp_path / "mmproj-A-F16.gguf"
    assert find_mmproj(tmp_path / "A-2-Q8_0.gguf") == tmp_path / "mmproj-A-2-F16.gguf"
    assert find_mmproj(tmp_path / "B-Q8_0.suspect.gguf") == tmp_path / "mmproj-B-F16.suspect.gguf"


@pytest.fixture
def png(tmp_path: Path) -> Path:
    path = tmp_path / "a fox.png"
    FIRST.image.save(path)
    return path


def test_a_script_shows_a_picture(
    seeing_files: Callable[[str], Any], png: Path, chat: Chat, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["chat", str(seeing_files("smolvlm").text), "--prompt", "what is it?", "--temperature", "0", "--max-tokens", "10"]
    assert main([*words, "--image", str(png), "--json"]) == 0
    answered = json.loads(capsys.readouterr().out)
    assert answered["images"] == [str(png)]
    assert answered["answer"] == answer(chat, Conversation.begin(None).plus("user", "what is it?", [FIRST])).text
    png.write_bytes(png.read_bytes()[:60])
    assert main([*words, "--image", str(png)]) == 2
    assert "a fox.png: a broken picture" in capsys.readouterr().err


def test_a_conversation_takes_pictures_and_goes_on_after_broken_ones(
    seeing_files: Callable[[str], Any],
    png: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "400")  # the folder's name may be longer than a line
    (tmp_path / "broken.png").write_bytes(b"no picture")
    talk = [f"/image {tmp_path}/broken.png what?", f"'{png}'", "what is it?", f"and {png.as_uri()} ?", "why?"]
    lines = iter([*talk, f"'{png}'", "/clear", "so?"])
    asked: list[Any] = []
    reply = Chat.reply

    def kept(self: Chat, conversation: Conversation, *rest: Any) -> Any:
        asked.append([len(message.pictures) for message in conversation.messages if message.role == "user"])
        return reply(self, conversation, *rest)

    def read(_: str) -> str:
        line = next(lines, None)
        if line is None:
            raise EOFError
        return line

    monkeypatch.setattr("builtins.input", read)
    monkeypatch.setattr(Chat, "reply", kept)
    assert main(["chat", str(seeing_files("smolvlm").text), "--temperature", "0", "--max-tokens", "4"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "broken.png: not a picture that can be read" in said
    assert "shown with the next message" in said
    assert [turns[-1] for turns in asked] == [1, 1, 0, 0]


def test_a_text_model_refuses_a_picture_at_once(chat_file: Path, png: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", str(chat_file), "--image", str(png), "--prompt", "what?"]) == 2
    assert "can't see pictures: no mmproj file" in capsys.readouterr().err
