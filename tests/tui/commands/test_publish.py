"""`publish`: what arrives on a hub is the child and nothing of this machine, and what was broken off goes on where it stood."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml
from gguf import GGUFEndian, GGUFWriter
from huggingface_hub import constants

from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.store.facts import write_facts
from evomerge_quant.gguf.quantize.file_types import FILE_TYPES
from evomerge_quant.publishing.card import CardFacts, model_card
from evomerge_quant.publishing.gguf_facts import read_gguf_facts
from evomerge_quant.publishing.publication import _without_path_keys
from evomerge_tui.cli.main import main
from support.hub_uploads import Uploads
from support.loopback_hub import Hub, serve

Finished = tuple[Path, "subprocess.CompletedProcess[str]"]
SECRET = "hf_a-token-that-nobody-may-see"
REPO = "owner/child"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve(Hub({}, uploads=Uploads(SECRET))) as served:
        yield served


@pytest.fixture
def run(finished: Finished, tmp_path: Path) -> Path:
    """A finished run in a place with a name that shows, with a GGUF of its winner."""
    run = tmp_path / "somebody" / "run"
    shutil.copytree(finished[0], run)
    (run / "winner" / "gguf").mkdir()
    write_gguf(run / "winner" / "gguf" / "tiny-v1.0-Q4_K_M.gguf")
    return run


def write_gguf(path: Path, **facts: Any) -> Path:
    writer = GGUFWriter(path, "llama")
    for key, value in facts.items():
        writer.add_string(f"general.{key}", value)
    writer.add_array("tokenizer.ggml.tokens", [f"w{n}" for n in range(1000)])
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        write()
    return path


@dataclass
class Said:
    """What a command printed, and how it ended."""

    status: int
    out: str
    err: str


class Publish(Protocol):
    def __call__(self, *words: object, token: str | None = SECRET) -> Said: ...


@pytest.fixture
def publish(hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Publish:
    """The command, in this process; the hub's library reads its settings when it is loaded."""
    template = f"{hub.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    patched = {"ENDPOINT": hub.address, "HUGGINGFACE_CO_URL_TEMPLATE": template, "HF_HUB_DISABLE_XET": False}
    for name, value in {**patched, "HF_HUB_OFFLINE": False}.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def carry_out(*words: object, token: str | None = SECRET) -> Said:
        monkeypatch.delenv("HF_TOKEN", raising=False)
        if token is not None:
            monkeypatch.setenv("HF_TOKEN", token)
        status = main(["publish", *map(str, words)])
        said = capsys.readouterr()
        return Said(status, said.out, said.err)

    return carry_out


def started(hub: Hub, *words: object) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    env |= {"NO_PROXY": "127.0.0.1", "HF_ENDPOINT": hub.address, "HF_TOKEN": SECRET}
    line = [sys.executable, "-m", "evomerge_tui", "publish", *map(str, words)]
    return subprocess.Popen(line, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def contents(hub: Hub) -> dict[str, bytes]:
    """The repository's files."""
    return {name: content for name, content in hub.models[REPO].items() if isinstance(content, bytes)}


def head_of(card: bytes) -> dict[str, Any]:
    _, head, _ = card.decode().split("---\n", 2)
    read: dict[str, Any] = yaml.safe_load(head)
    return read


def test_a_winner_arrives_whole_and_says_nothing_of_this_machine(hub: Hub, run: Path, publish: Publish) -> None:
    done = publish(run, "--to", REPO, "--private", "--json")
    assert done.status == 0, done.err
    assert hub.uploads is not None
    assert hub.uploads.created == {REPO: "private"}
    there = contents(hub)
    for local in ("winner/model/model.safetensors", "winner/model/config.json", "winner/gguf/tiny-v1.0-Q4_K_M.gguf"):
        assert there[local.rpartition("/")[2]] == (run / local).read_bytes()
    assert {"README.md", "recipe.yaml", "mergekit_config.yml", "report/report.md", "report/fitness.svg"} <= there.keys()
    result = json.loads((run / "winner/result.json").read_text())
    card = there["README.md"].decode()
    low, high = result["winner"]["interval"]
    assert f"| **this model** | {100 * result['winner']['test']:.1f} % | {100 * low:.1f} % to {100 * high:.1f} % |" in card
    assert f"ollama run hf.co/{REPO}:Q4_K_M" in card
    assert head_of(there["README.md"])["tags"] == ["mergekit", "merge", "evomerge", "gguf"]
    texts = b"".join(content for name, content in there.items() if not name.endswith((".safetensors", ".gguf")))
    for secret in (str(run.parent), str(run.parents[2]), str(Path.home()), SECRET):
        assert secret.encode() not in texts
    # the merge's file still says what was merged
    sources = [source["model"] for source in yaml.safe_load(there["mergekit_config.yml"])["models"]]
    assert {"first", "second"} <= set(sources)


def test_a_cut_line_is_taken_up_again_and_a_second_call_sends_nothing_twice(hub: Hub, run: Path, publish: Publish) -> None:
    uploads = hub.uploads
    assert uploads is not None
    uploads.piece, uploads.cut = 60_000, [60_000, 40_000]
    done = publish(run, "--to", REPO)
    assert done.status == 0, done.err
    assert hub.models[REPO]["model.safetensors"] == (run / "winner/model/model.safetensors").read_bytes()
    sent = [size for path, size in uploads.sent if "/lfs/" in path]
    assert sent[:3] == [60_000, 40_000, 60_000], "one piece, a part of the next, and the next again"
    assert SECRET not in done.out + done.err
    uploads.sent.clear()
    assert publish(run, "--to", REPO).status == 0
    assert uploads.sent == []


def test_a_killed_upload_goes_on_with_the_file_that_is_missing(hub: Hub, run: Path, publish: Publish) -> None:
    uploads = hub.uploads
    assert uploads is not None
    first = started(hub, run, "--to", REPO, "--json")
    assert first.stdout is not None
    gguf = "tiny-v1.0-Q4_K_M.gguf"
    hub.pause = 0.3
    for line in first.stdout:
        if json.loads(line)["file"] == gguf:
            break
    first.kill()
    first.communicate()
    hub.pause = 0.0
    weights = [path for path, _ in uploads.sent]
    assert len(weights) >= 1
    assert uploads.commits == []
    uploads.sent.clear()
    assert publish(run, "--to", REPO).status == 0
    assert weights[0] not in [path for path, _ in uploads.sent]
    assert hub.models[REPO][gguf] == (run / "winner/gguf" / gguf).read_bytes()


def test_what_is_to_be_private_goes_into_no_public_repository(hub: Hub, tmp_path: Path, publish: Publish) -> None:
    file = write_gguf(tmp_path / "child-Q8_0.gguf")
    assert publish(file, "--to", REPO).status == 0
    before = contents(hub)
    refused(publish(file, write_gguf(tmp_path / "secret-Q4_0.gguf"), "--to", REPO, "--private", "--json"), "is public already")
    assert contents(hub) == before
    assert publish(file, "--to", "owner/hidden", "--private").status == 0
    assert publish(file, "--to", "owner/hidden", "--private").status == 0


def test_folders_in_the_settings_of_a_models_parts_stay_here(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    kept = {"model_type": "idefics3", "text_config": {"hidden_size": 64}, "layers": [{"kind": "full"}]}
    file.write_text(json.dumps({**kept, "text_config": {"_name_or_path": "/data/mine", "hidden_size": 64}}))
    written = _without_path_keys(file)
    assert written is not None
    assert json.loads(written) == kept
    file.write_text(json.dumps(kept))
    assert _without_path_keys(file) is None, "it is sent as it is"


@pytest.mark.parametrize(("second", "licence"), [("mit", "mit"), ("cc-by-nc-4.0", None)])
def test_a_card_has_the_licence_that_all_files_state(
    tmp_path: Path, publish: Publish, second: str, licence: str | None
) -> None:
    files = [
        write_gguf(tmp_path / f"child-{kind}.gguf", name="child", license=stated)
        for kind, stated in (("Q8_0", "mit"), ("Q4_0", second))
    ]
    done = publish(*files, "--to", REPO, "--dry-run", "--json")
    assert done.status == 0, done.err
    assert head_of(json.loads(done.out)["card"].encode()).get("license") == licence


def test_a_seeing_models_pictures_are_read_by_its_processor() -> None:
    facts = CardFacts(title="child", repo=REPO, licences={}, languages=(), ggufs=(), weights=True)
    assert f'tokenizer = AutoTokenizer.from_pretrained("{REPO}")' in model_card(facts)
    seeing = model_card(replace(facts, sees=True))
    assert f'processor = AutoProcessor.from_pretrained("{REPO}")' in seeing
    assert "Tokenizer" not in seeing


@pytest.mark.parametrize("kind", list(FILE_TYPES))
def test_a_files_type_is_read_in_its_name(tmp_path: Path, kind: str) -> None:
    assert read_gguf_facts(write_gguf(tmp_path / f"child-{kind}.gguf")).encoding == kind


def test_files_of_a_run_that_lost_its_result_are_refused(run: Path, publish: Publish) -> None:
    (run / "winner" / "result.json").unlink()
    done = publish(run / "winner" / "gguf" / "tiny-v1.0-Q4_K_M.gguf", "--to", REPO, "--dry-run", "--json")
    refused(done, "result.json: is missing")


def test_a_dry_run_shows_files_and_card_and_asks_no_hub(hub: Hub, run: Path, publish: Publish) -> None:
    done = publish(run, "--to", REPO, "--dry-run", token=None)
    assert done.status == 0, done.err
    assert hub.requests == []
    assert "model.safetensors" in done.out
    assert "## What it was tested on\n\n- numbers: items of items.jsonl, scored by `final_number`" in done.out


def test_files_alone_have_a_card_from_their_heads(hub: Hub, tmp_path: Path, publish: Publish) -> None:
    sly = "x\n---\n# [click](http://evil)\n```\n| a |"
    file = write_gguf(tmp_path / "child-Q8_0.gguf", name=sly, license="mit", description=str(tmp_path))
    done = publish(file, "--to", REPO, "--json")
    assert done.status == 0, done.err
    there = contents(hub)
    assert set(there) == {".gitattributes", "README.md", "child-Q8_0.gguf"}
    head = head_of(there["README.md"])
    assert (head["license"], head["tags"], head.get("base_model")) == ("mit", ["evomerge", "gguf"], None)
    body = there["README.md"].decode().split("---\n", 2)[2]
    assert not any(line.startswith(("---", "# [", "```\n|")) for line in body.splitlines())
    assert "\\[click\\]" in body


def refused(done: Said, said: str) -> None:
    assert done.status == 2
    assert done.err.count("\n") == 1, done.err
    assert said in done.err
    assert json.loads(done.out.splitlines()[-1]) == {"error": done.err.removeprefix("error: ").strip()}
    assert SECRET not in done.out + done.err


def test_what_cannot_be_published_is_refused_in_a_line(hub: Hub, run: Path, tmp_path: Path, publish: Publish) -> None:
    suspect = write_gguf(tmp_path / "a-Q8_0.suspect.gguf")
    text = tmp_path / "a.gguf"
    text.write_text("no model")
    broken = tmp_path / "b.gguf"
    broken.write_bytes(b"GGUF\x03\0\0\0" + b"\xff" * 40)
    refused(publish(suspect, "--to", REPO, "--json"), "failed verification")
    refused(publish(text, "--to", REPO, "--json"), "is no GGUF file")
    refused(publish(broken, "--to", REPO, "--json"), "can't be read as a GGUF")
    refused(publish(tmp_path / "none", "--to", REPO, "--json"), "No such file")
    refused(publish(tmp_path, "--to", REPO, "--json"), "is not a run's folder")
    refused(publish(write_gguf(tmp_path / "child.bin"), "--to", REPO, "--json"), "end its name in .gguf")
    refused(publish("a\0b.gguf", "--to", REPO, "--json"), "null byte")
    for name in ("child", "owner/a--b", "owner/child.git", f"owner/{'x' * 100}"):
        refused(publish(run, "--to", name, "--json"), "write OWNER/NAME")
    (run / "winner/model/config.json").unlink()
    refused(publish(run, "--to", REPO, "--json"), "config.json is missing")
    assert hub.requests == []


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def head(*values: tuple[str, int, bytes], count: int | None = None) -> bytes:
    """A GGUF's head, by the format's description: keys with their types and values."""
    lines = (text(key.encode()) + struct.pack("<I", kind) + value for key, kind, value in values)
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(values) if count is None else count) + b"".join(lines)


ENDLESS = 2**60
NAME = ("general.name", 8, text(b"child"))
LYING = {
    "numbers": (head(("general.tags", 9, struct.pack("<IQ", 5, ENDLESS))), "it ends within its head"),
    "other numbers": (head(("a.list", 9, struct.pack("<IQ", 5, ENDLESS))), "it ends within its head"),
    "texts": (head(("a.list", 9, struct.pack("<IQ", 8, ENDLESS))), "it ends within its head"),
    "lists of lists": (head(("general.tags", 9, struct.pack("<IQ", 9, 1) * 5000)), "a value is of the type 9"),
    "keys": (head(NAME, count=ENDLESS), "it ends within its head"),
    "a long text": (
        head(("general.name", 8, struct.pack("<Q", 2**63) + b"abc")),
        "the texts in its head have more than 1,000,000 bytes",
    ),
    "a short file": (head(NAME)[:-2], "it ends within its head"),
    "another type": (head(("general.name", 99, b"abc")), "a value is of the type 99"),
    "no letters": (head(("general.name", 8, text(b"\xff"))), "a text in its head isn't UTF-8"),
    "one key twice": (head(NAME, NAME), "it says general.name twice"),
    "another version": (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), "its version is 9"),
    "values without end": (
        head(("a.list", 9, struct.pack("<IQ", 8, ENDLESS) + bytes(17_000_000))),
        "its head has more than 2,000,000 values",
    ),
}


@pytest.mark.parametrize("name", LYING)
def test_what_a_file_says_of_lengths_is_not_believed(name: str, tmp_path: Path, publish: Publish) -> None:
    content, said = LYING[name]
    (tmp_path / "child.gguf").write_bytes(content)
    refused(publish(tmp_path / "child.gguf", "--to", REPO, "--dry-run", "--json"), f"can't be read as a GGUF ({said}")


def test_a_head_is_read_as_its_writer_meant_it(tmp_path: Path, publish: Publish) -> None:
    for order in (GGUFEndian.LITTLE, GGUFEndian.BIG):
        writer = GGUFWriter(tmp_path / "child.gguf", "llama", endianess=order)
        writer.add_array("tokenizer.ggml.scores", [0.5, 1.5])
        writer.add_array("tokenizer.ggml.tokens", ["a", "b"])
        writer.add_bool("tokenizer.ggml.add_bos_token", True)
        writer.add_name("My child")
        writer.add_license("mit")
        writer.add_languages(["ja", "en"])
        writer.add_base_model_count(1)
        writer.add_base_model_repo_url(0, "https://huggingface.co/owner/parent")
        for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
            write()
        card = json.loads(publish(tmp_path / "child.gguf", "--to", REPO, "--dry-run", "--json").out)["card"]
        told = head_of(card.encode())
        assert (told["license"], told["language"], told["base_model"]) == ("mit", ["en", "ja"], ["owner/parent"])
        assert "# My child" in card


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders here")
def test_a_pipe_is_not_waited_for(tmp_path: Path, publish: Publish) -> None:
    os.mkfifo(tmp_path / "child.gguf")
    refused(publish(tmp_path / "child.gguf", "--to", REPO, "--json"), "is no file")


def test_licences_are_read_from_the_result_and_in_earlier_runs_from_the_winners_card(run: Path, publish: Publish) -> None:
    """The tiny models have no cards of their own, so none states a licence. A run that knows its winner's files would refuse
    a result that was changed."""
    with closing(open_store(run)) as store:
        write_facts(store, winner_files={})
    card, result = run / "winner/model/README.md", run / "winner/result.json"
    said = json.loads(result.read_text())
    assert said["licences"] == {"base": None, "first": None, "second": None}
    result.write_text(json.dumps({**said, "licences": {"base": "mit", "first": "mit", "second\u202e": "mit"}}))
    card.write_text(card.read_text().replace("- first (licence: see its own card)", "- first (licence: apache-2.0)"))
    told = json.loads(publish(run, "--to", REPO, "--dry-run", "--json").out)["card"]
    assert head_of(told.encode())["license"] == "mit"
    assert "- first (licence: mit)" in told
    assert "\u202e" not in told
    del said["licences"]
    result.write_text(json.dumps(said))
    told = json.loads(publish(run, "--to", REPO, "--dry-run", "--json").out)["card"]
    assert "license" not in head_of(told.encode())
    assert "- first (licence: apache-2.0)" in told


@pytest.mark.parametrize("languages", ["5", "{a: b}", "[ja, 7, null]"])
def test_a_card_that_a_person_wrote_into_is_read_as_far_as_it_makes_sense(languages: str, run: Path, publish: Publish) -> None:
    card = run / "winner/model/README.md"
    card.write_text(card.read_text().replace("---\n", f"---\nlanguage: {languages}\n", 1))
    done = publish(run, "--to", REPO, "--dry-run", "--json")
    assert done.status == 0, done.err
    assert head_of(json.loads(done.out)["card"].encode()).get("language") == (["ja"] if "ja" in languages else None)


def test_what_lies_beside_the_winners_files_stays_here(run: Path, tmp_path: Path, publish: Publish) -> None:
    (tmp_path / "key").write_text("secret")
    (run / "winner/model/notes.txt").symlink_to(tmp_path / "key")
    (run / "winner/model/.env").write_text("KEY=secret")
    sent = [file["path"] for file in json.loads(publish(run, "--to", REPO, "--dry-run", "--json").out)["files"]]
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= set(sent)
    assert not {"notes.txt", ".env"} & set(sent)


def test_what_the_hub_refuses_is_said_in_a_line(hub: Hub, tmp_path: Path, publish: Publish) -> None:
    file = write_gguf(tmp_path / "child-Q8_0.gguf")
    refused(publish(file, "--to", "stranger/child", "--json"), "the token may not write there")
    refused(publish(file, "--to", REPO, "--json", token="hf_wrong"), "doesn't know the token")
    refused(publish(file, "--to", REPO, "--json", token=None), "no token for the hub")
    assert isinstance(hub.models, dict)
    hub.models[REPO] = {"README.md": b"---\ntags:\n- other\n---\n", "model.safetensors": b"another"}
    refused(publish(file, "--to", REPO, "--json"), "holds another model")
    assert hub.models[REPO]["model.safetensors"] == b"another"
