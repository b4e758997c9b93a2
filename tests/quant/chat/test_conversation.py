"""What goes first when there is no room, and what stays."""

from __future__ import annotations

from evomerge_quant.chat.conversation import Conversation, Message


def long_one() -> Conversation:
    conversation = Conversation.begin("be brief")
    for number in range(3):
        conversation = conversation.plus("user", f"question {number}").plus("assistant", f"answer {number}")
    return conversation.plus("user", "the last")


def test_the_oldest_turn_goes_and_the_system_message_stays() -> None:
    shorter = long_one().without_oldest_turn()
    assert shorter is not None
    assert [m.text for m in shorter.messages] == [
        "be brief", "question 1", "answer 1", "question 2", "answer 2", "the last"
    ]  # fmt: skip
    assert shorter.system == "be brief"


def test_the_last_question_is_never_dropped() -> None:
    assert Conversation.begin("be brief").plus("user", "the last").without_oldest_turn() is None
    assert Conversation.begin(None).without_oldest_turn() is None


def test_nothing_is_changed_in_place() -> None:
    before = Conversation.begin(None)
    after = before.plus("user", "hello")
    assert before.messages == ()
    assert after.messages == (Message("user", "hello"),)
    assert after.without_last() == before
    assert before.system is None
