"""Answers are llama-cpp-python's own; a stop keeps the chat, a full context drops the oldest turns, and nothing is printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from llama_cpp import Llama

from evomerge_core.errors import InputError
from evomerge_quant.chat import context_size
from evomerge_quant.chat.chat import Chat, Piece, Reply, Trimmed, open_chat
from evomerge_quant.chat.context_size import context_tokens
from evomerge_quant.chat.conversation import Conversation
from evomerge_quant.chat.sampling import Sampling
from evomerge_quant.llama.model import open_gguf
from support.tiny_gguf import save_folder, write_gguf

GREEDY = Sampling(temperature=0, max_tokens=24)
HELLO = Conversation.begin("be brief").plus("user", "the cat sat")


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose answers don't end soon."""
    place = tmp_path_factory.mktemp("endless")
    return write_gguf(save_folder(place / "model", seed=3), place / "model.gguf")


def answer(chat: Chat, conversation: Conversation, sampling: Sampling = GREEDY, stop: Event | None = None) -> Reply:
    *_, reply = chat.reply(conversation, sampling, stop or Event())
    assert isinstance(reply, Reply)
    return reply


def test_the_answer_is_llama_cpp_pythons(chat: Chat, chat_file: Path) -> None:
    theirs = Llama(str(chat_file), n_ctx=512, verbose=False)
    messages = [{"role": m.role, "content": m.text} for m in HELLO.messages]
    made = theirs.create_chat_completion(messages, temperature=0.0, max_tokens=24, repeat_penalty=1.0)
    theirs.close()
    reply = answer(chat, HELLO)
    # They leave out bytes that are no UTF-8, and write on past the limit when it falls within a character.
    ours, wanted = (text.replace("\ufffd", "") for text in (reply.text, made["choices"][0]["message"]["content"]))
    assert len(ours) > 8
    assert wanted.startswith(ours)
    assert reply.prompt_tokens == made["usage"]["prompt_tokens"]


def test_pieces_are_whole_characters_and_make_up_the_answer(chat: Chat, capfd: pytest.CaptureFixture[str]) -> None:
    events = list(chat.reply(HELLO, Sampling(temperature=1.5, max_tokens=60, seed=5), Event()))
    pieces, reply = events[:-1], events[-1]
    assert isinstance(reply, Reply)
    assert all(isinstance(piece, Piece) and piece.text for piece in pieces)
    assert "".join(piece.text for piece in pieces if isinstance(piece, Piece)) == reply.text
    assert reply.conversation == HELLO.plus("assistant", reply.text)
    assert reply.tokens_per_second == pytest.approx(reply.tokens / reply.seconds)
    said = capfd.readouterr()
    assert said.out + said.err == ""


def test_what_was_read_before_changes_nothing(chat: Chat, chat_file: Path) -> None:
    """The second turn goes on from what the context holds; a fresh context that reads everything says the same."""
    first = answer(chat, HELLO)
    second = answer(chat, first.conversation.plus("user", "and the dog"))
    with open_chat(chat_file) as fresh:
        assert answer(fresh, first.conversation.plus("user", "and the dog")).text == second.text
    # and back to an earlier point
    assert answer(chat, HELLO).text == first.text


class StopAfter(Event):
    """An event that is set when it was looked at so many times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def test_a_stop_ends_the_answer_and_keeps_the_chat(endless: Path) -> None:
    with open_chat(endless) as chat:
        whole = answer(chat, HELLO)
        assert whole.stopped_by == "max_tokens"
        reply = answer(chat, HELLO, stop=StopAfter(1 + 5))
        assert (reply.stopped_by, reply.tokens) == ("stop", 5)
        assert whole.text.startswith(reply.text.rstrip("\ufffd"))
        assert reply.conversation.messages[-1].role == "assistant"
        # the chat goes on as if nothing else had been said
        assert answer(chat, HELLO).text == whole.text


def test_a_stop_before_the_first_word_takes_the_question_back(endless: Path) -> None:
    with open_chat(endless) as chat:
        stop = Event()
        stop.set()
        reply = answer(chat, HELLO, stop=stop)
        assert (reply.text, reply.stopped_by) == ("", "stop")
        assert reply.conversation == HELLO.without_last()


def test_an_answer_ends_at_its_end_token_and_at_its_limit(chat: Chat, endless: Path) -> None:
    ends = {answer(chat, HELLO, Sampling(temperature=1.5, max_tokens=200, seed=seed)).stopped_by for seed in range(12)}
    assert "end" in ends
    with open_chat(endless) as other:
        reply = answer(other, HELLO, Sampling(temperature=0, max_tokens=7))
        assert (reply.tokens, reply.stopped_by) == (7, "max_tokens")


def talk(turns: int) -> Conversation:
    conversation = Conversation.begin("be brief")
    for number in range(turns):
        conversation = conversation.plus("user", f"question {number} the cat sat").plus("assistant", "one two three")
    return conversation.plus("user", "the last question")


def test_the_oldest_turns_go_when_the_context_is_full(endless: Path) -> None:
    with open_chat(endless, context=256) as chat:
        assert chat.context.cells == 256
        events: Iterator[Trimmed | Piece | Reply] = chat.reply(talk(20), GREEDY, Event())
        notice = next(events)
        assert isinstance(notice, Trimmed)
        *_, reply = events
        assert isinstance(reply, Reply)
        kept = reply.conversation.messages
        assert kept[0].text == "be brief"
        assert kept[1].text == f"question {notice.turns} the cat sat"
        assert kept[-2].text == "the last question"
        assert reply.prompt_tokens + GREEDY.max_tokens <= 256
        # one turn more would not have had room
        longer = Conversation(tuple(m for m in talk(20).messages[:1] + talk(20).messages[1 + 2 * (notice.turns - 1) :]))
        assert len(chat.model.tokenize("".join(map(str, chat.render(longer.messages))))) + GREEDY.max_tokens > 256


def test_an_answer_that_fills_the_context_ends_there(endless: Path) -> None:
    with open_chat(endless, context=256) as chat:
        reply = answer(chat, talk(1), Sampling(temperature=0, max_tokens=10_000))
        assert reply.stopped_by == "context"
        assert reply.prompt_tokens + reply.tokens == 256 + 1
        assert answer(chat, reply.conversation.plus("user", "and now")).tokens > 0


def test_a_message_that_never_fits_is_refused_and_the_chat_continues(endless: Path) -> None:
    with open_chat(endless, context=256) as chat:
        with pytest.raises(InputError, match="shorten"):
            answer(chat, Conversation.begin(None).plus("user", "x y z " * 300))
        assert answer(chat, HELLO).tokens > 0


def test_the_context_is_as_long_as_model_and_memory_allow(chat_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_gguf(chat_file) as model:
        assert context_tokens(model) == 512  # the training context
        monkeypatch.setattr(type(model), "training_context", property(lambda _: 10**6))
        assert context_tokens(model) == 16_384
        monkeypatch.setattr(context_size, "available_ram", lambda: 4 * 3000 * model.cell_bytes)
        assert context_tokens(model) == 6000
        assert context_tokens(model, share=0.5) == 3000
        monkeypatch.setattr(context_size, "available_ram", lambda: 0)
        assert context_tokens(model) == 512
