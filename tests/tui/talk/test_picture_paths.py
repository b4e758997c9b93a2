"""Which pictures a message shows: after /image, and as terminals paste a dropped file."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_tui.talk.picture_paths import read_pictures, split_message


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("cat.png", "my cat.JPG", "it's a cat.png", "at 10.00\u202fAM.png"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


# HERE stands for the folder with the pictures.
@pytest.mark.parametrize(
    ("line", "text", "names"),
    [
        ("/image cat.png", "", ["cat.png"]),
        ("/image cat.png what is it?", "what is it?", ["cat.png"]),
        ("/image 'my cat.JPG' what is it?", "what is it?", ["my cat.JPG"]),
        ("/image my cat.JPG", "", ["my cat.JPG"]),
        (r"/image my\ cat.JPG /image cat.png which?", "which?", ["my cat.JPG", "cat.png"]),
        ("'HERE/my cat.JPG'", "", ["HERE/my cat.JPG"]),
        ('"HERE/my cat.JPG" and this?', "and this?", ["HERE/my cat.JPG"]),
        (r"HERE/my\ cat.JPG ", "", ["HERE/my cat.JPG"]),
        ("HERE/my cat.JPG", "", ["HERE/my cat.JPG"]),
        (r"HERE/it\'s\ a\ cat.png what?", "what?", ["HERE/it's a cat.png"]),
        (r"'HERE/it'\''s a cat.png'", "", ["HERE/it's a cat.png"]),
        (r"and 'HERE/it'\''s a cat.png' or 'HERE/my cat.JPG' ?", "and  or  ?", ["HERE/it's a cat.png", "HERE/my cat.JPG"]),
        ("file://HERE/my%20cat.JPG file://localhost/HERE/it's%20a%20cat.png", "", ["HERE/my cat.JPG", "/HERE/it's a cat.png"]),
        ("file://HERE/my%20cat.JPG", "", ["HERE/my cat.JPG"]),
        ("what is cat.png ?", "what is  ?", ["cat.png"]),
        ("what is dog.png?", "what is dog.png?", []),
        ("what is in cat.png?", "what is in ?", ["cat.png"]),
        ("/image cat.png, what is it?", ", what is it?", ["cat.png"]),
        ("Compare HERE/cat.png, 'my cat.JPG'.", "Compare , .", ["HERE/cat.png", "my cat.JPG"]),
        ("is /no/such/dog.png! there?", "is ! there?", ["/no/such/dog.png"]),
        ("cat.png、これは何？", "cat.png、これは何？", []),
        ("cat.png\u3000これは何？", "これは何？", ["cat.png"]),
        ("is concat.png cat.png", "is concat.png", ["cat.png"]),
        ("HERE/at\\ 10.00\u202fAM.png what?", "what?", ["HERE/at 10.00\u202fAM.png"]),
        ("look at https://example.org/cat.png", "look at https://example.org/cat.png", []),
        ("/system describe HERE/cat.png", "/system describe HERE/cat.png", []),
        ("/help", "/help", []),
        ("don't say 5 o'clock", "don't say 5 o'clock", []),
        ("/no/such/dog.png", "", ["/no/such/dog.png"]),
        ("file://host/no/such/dog%231.png", "", ["/no/such/dog#1.png"]),
        ("file://[/dog.png which?", "which?", ["/dog.png"]),
        (f"{'a long story ' * 30}cat.png", f"{'a long story ' * 30}".strip(), ["cat.png"]),
        (f"what is {'long' * 100}.png", f"what is {'long' * 100}.png", []),
        (f"/image {'long' * 100}.png", "", [f"{'long' * 100}.png"]),
        ("", "", []),
    ],
)
def test_pictures_and_text_are_told_apart(line: str, text: str, names: list[str], here: Path) -> None:
    found, paths = split_message(line.replace("HERE", str(here)))
    assert found == text.replace("HERE", str(here))
    assert paths == [Path(name.replace("HERE", str(here))) for name in names]


def test_a_name_that_no_file_can_have_is_one_line(here: Path) -> None:
    with pytest.raises(InputError, match=r"long\.png: no such picture; check the path"):
        read_pictures([here / f"{'long' * 100}.png"])


def test_image_alone_asks_for_a_file() -> None:
    with pytest.raises(InputError, match=r"/image: needs a file; name one"):
        split_message("/image ")
