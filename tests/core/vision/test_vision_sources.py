"""Which models give a vision-language model their language, in which forms, and what of it is never merged."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

from evomerge_core.errors import InputError
from support.source_models import change_config, write_tokenizer
from support.vision_merges import WEIGHT, by_hand, merged, merged_by, tensors
from support.vision_models import FAMILIES, IMAGE_ROW, WORDS, rename_tensors, stored_name, write_text_model, write_vision_model

Pair = Callable[[str], Path]


def assert_merged(folder: Path, rename: Callable[[str], str]) -> None:
    """The child of `eyes` and `text`, where the body calls a text model's tensor by `rename`."""
    base, text, child = tensors(folder / "eyes"), tensors(folder / "text"), tensors(merged(folder))
    spoken = {rename(name): tensor for name, tensor in text.items()}
    assert spoken.keys() < base.keys() == child.keys()
    for name, tensor in child.items():
        expected = by_hand(base[name], spoken[name]) if name in spoken else base[name]
        torch.testing.assert_close(tensor, expected, atol=1e-6 if name in spoken else 0, rtol=0)


def test_llava_as_transformers_4_52_saved_it(pair: Pair) -> None:
    folder = pair("llava")
    rename_tensors(folder / "eyes", lambda name: re.sub(r"^language_model\.model\.", "language_model.", name))
    rename_tensors(folder / "eyes", lambda name: name.removeprefix("language_model.") if "lm_head" in name else f"model.{name}")
    assert "model.vision_tower.embeddings.class_embedding" in tensors(folder / "eyes")
    assert_merged(folder, lambda name: re.sub(r"^model\.", "model.language_model.", name))


def test_llava_as_it_is_on_the_hub(pair: Pair) -> None:
    folder = pair("llava")
    rename_tensors(folder / "eyes", lambda name: re.sub(r"^vision_tower\.", "vision_tower.vision_model.", name))
    assert_merged(folder, lambda name: stored_name("llava", name))


@pytest.mark.parametrize("family", ["qwen2-vl", "qwen2.5-vl"])
def test_qwen_with_all_settings_on_one_level(family: str, pair: Pair) -> None:
    folder = pair(family)
    path = folder / "eyes" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    text = config.pop("text_config")
    rope = text.pop("rope_parameters")
    flat = {**text, **config, "rope_theta": rope["rope_theta"]}
    flat["rope_scaling"] = {"type": "mrope", "mrope_section": rope["mrope_section"]}
    path.write_text(json.dumps(flat), encoding="utf-8")
    assert_merged(folder, lambda name: stored_name(family, name))
    AutoModelForImageTextToText.from_pretrained(folder / "child")


def test_qwen_as_transformers_4_52_saved_it(pair: Pair) -> None:
    folder = pair("qwen2.5-vl")
    rename_tensors(folder / "eyes", lambda name: re.sub(r"^model\.", "model.language_model.", name))
    rename_tensors(folder / "eyes", lambda name: re.sub(r"^visual\.", "model.visual.", name))
    assert_merged(folder, lambda name: re.sub(r"^model\.", "model.language_model.", name))


def test_a_model_in_several_files(pair: Pair) -> None:
    folder = pair("smolvlm")
    base = tensors(folder / "eyes")
    AutoModelForImageTextToText.from_pretrained(folder / "eyes").save_pretrained(folder / "eyes", max_shard_size="20KB")
    assert len(list((folder / "eyes").glob("model-*"))) > 2
    child, text = tensors(merged(folder)), tensors(folder / "text")
    name = "model.layers.1.mlp.up_proj.weight"
    torch.testing.assert_close(child[stored_name("smolvlm", name)], by_hand(base[stored_name("smolvlm", name)], text[name]))
    tower = "model.vision_model.encoder.layers.1.mlp.fc2.weight"
    assert torch.equal(child[tower], base[tower])


def test_a_tower_keeps_the_dtypes_in_which_it_is_stored(pair: Pair) -> None:
    folder = pair("llava")
    mixed = {name: one.half() if "fc1" in name else one for name, one in tensors(folder / "eyes").items()}
    save_file(mixed, folder / "eyes" / "model.safetensors", metadata={"format": "pt"})
    child = tensors(merged_by(folder, "merge_method: linear\nmodels: [{model: ./eyes, parameters: {weight: 1}}]\n"))
    for name, tensor in child.items():
        spoken = name.startswith("language_model.")
        assert tensor.dtype == (torch.bfloat16 if spoken else mixed[name].dtype)
        assert torch.equal(tensor, mixed[name].to(tensor.dtype))


def test_a_tied_text_model_is_its_own_head_in_an_untied_one(pair: Pair) -> None:
    folder = pair("smolvlm")
    write_text_model(folder / "tied", "smolvlm", seed=5, tie_word_embeddings=True)
    base, text, child = tensors(folder / "eyes"), tensors(folder / "tied"), tensors(merged(folder, source="tied"))
    assert "lm_head.weight" not in text
    expected = by_hand(base["lm_head.weight"], text["model.embed_tokens.weight"])
    torch.testing.assert_close(child["lm_head.weight"], expected, atol=1e-6, rtol=0)
    embedding = stored_name("smolvlm", "model.embed_tokens.weight")
    torch.testing.assert_close(child[embedding], by_hand(base[embedding], text["model.embed_tokens.weight"]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("family", ["qwen2-vl", "gemma3", "smolvlm"])
def test_the_rows_of_pictures_stay_though_the_text_model_has_its_own(family: str, pair: Pair) -> None:
    folder = pair(family)
    write_text_model(folder / "marked", family, seed=7, own_marks=True)
    base, text, child = tensors(folder / "eyes"), tensors(folder / "marked"), tensors(merged(folder, source="marked"))
    name = stored_name(family, "model.embed_tokens.weight")
    assert torch.equal(child[name][IMAGE_ROW], base[name][IMAGE_ROW])
    assert not torch.allclose(text["model.embed_tokens.weight"][IMAGE_ROW], base[name][IMAGE_ROW])
    words = slice(len(WORDS))
    expected = by_hand(base[name][words], text["model.embed_tokens.weight"][words])
    torch.testing.assert_close(child[name][words], expected, atol=1e-6, rtol=0)


def test_weights_that_do_not_sum_to_one_leave_the_rows_of_pictures_alone(pair: Pair) -> None:
    folder = pair("llava")
    models = "".join(f"  - {{model: ./{name}, parameters: {{weight: 0.9}}}}\n" for name in ("eyes", "text"))
    file = f"merge_method: linear\nmodels:\n{models}parameters: {{normalize: false}}\nout_dtype: float32\ndtype: float32\n"
    base, child = tensors(folder / "eyes"), tensors(merged_by(folder, file))
    for name in ("language_model.model.embed_tokens.weight", "language_model.lm_head.weight"):
        assert torch.equal(child[name][IMAGE_ROW], base[name][IMAGE_ROW])
        assert not torch.equal(child[name][3], base[name][3])


def test_a_second_model_of_the_same_body_gives_its_language_alone(pair: Pair) -> None:
    folder = pair("qwen3-vl")
    write_vision_model(folder / "other", "qwen3-vl", seed=9)
    base, other, child = tensors(folder / "eyes"), tensors(folder / "other"), tensors(merged(folder, source="other"))
    for name, tensor in child.items():
        spoken = name.startswith(("model.language_model.layers.", "model.language_model.norm."))
        expected = by_hand(base[name], other[name]) if spoken else base[name]
        if not name.endswith(("embed_tokens.weight", "lm_head.weight")):
            torch.testing.assert_close(tensor, expected, atol=1e-6 if spoken else 0, rtol=0)


def test_a_text_model_as_the_base_gets_the_eyes_of_its_source(pair: Pair) -> None:
    """As in the paper: task vectors of a model with eyes and of another one, from the model that both were made of."""
    folder = pair("llava")
    write_text_model(folder / "second", "llava", seed=11)
    models = "".join(f"  - {{model: ./{name}, parameters: {{weight: {WEIGHT}}}}}\n" for name in ("eyes", "second"))
    file = f"merge_method: task_arithmetic\nbase_model: ./text\nmodels:\n{models}dtype: float32\nout_dtype: float32\n"
    child = tensors(merged_by(folder, file))
    text, second, eyes = (tensors(folder / name) for name in ("text", "second", "eyes"))
    assert child.keys() == eyes.keys()
    own, stored = "model.layers.1.self_attn.o_proj.weight", "language_model.model.layers.1.self_attn.o_proj.weight"
    expected = text[own] + WEIGHT * (eyes[stored] - text[own]) + WEIGHT * (second[own] - text[own])
    torch.testing.assert_close(child[stored], expected, atol=1e-6, rtol=0)
    tower = "vision_tower.encoder.layers.0.mlp.fc1.weight"
    assert torch.equal(child[tower], eyes[tower])
    embedding = "language_model.model.embed_tokens.weight"
    assert child[embedding].shape == eyes[embedding].shape
    assert torch.equal(child[embedding][IMAGE_ROW], eyes[embedding][IMAGE_ROW])


def adapted(base: Path, folder: Path, targets: str | list[str], auto: type = AutoModelForCausalLM) -> PeftModel:
    torch.manual_seed(4)
    settings = LoraConfig(r=3, lora_alpha=6, target_modules=targets, init_lora_weights=False)
    model = get_peft_model(auto.from_pretrained(base), settings)
    model.save_pretrained(folder)
    return model


def test_an_adapter_of_the_text_model(pair: Pair) -> None:
    folder = pair("idefics3")
    whole = adapted(folder / "text", folder / "lora", ["q_proj", "down_proj"]).merge_and_unload().state_dict()
    base, child = tensors(folder / "eyes"), tensors(merged(folder, source="text+./lora"))
    for name in ("model.layers.0.self_attn.q_proj.weight", "model.layers.1.mlp.down_proj.weight"):
        stored = stored_name("idefics3", name)
        torch.testing.assert_close(child[stored], by_hand(base[stored], whole[name]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_of_the_language_part(family: str, pair: Pair) -> None:
    folder = pair(family)
    language = r".*(language_model|text_model)\.layers.*\.(q_proj|down_proj)"
    peft = adapted(folder / "eyes", folder / "lora", language, AutoModelForImageTextToText)
    kept = load_file(folder / "lora" / "adapter_model.safetensors")
    assert any(".language_model.layers.0." in name or ".text_model.layers.0." in name for name in kept)
    whole = dict(peft.merge_and_unload().get_decoder().named_parameters())
    base, child = tensors(folder / "eyes"), tensors(merged(folder, source="eyes+./lora"))
    for name in ("layers.0.self_attn.q_proj.weight", "layers.1.mlp.down_proj.weight"):
        stored = stored_name(family, f"model.{name}")
        torch.testing.assert_close(child[stored], by_hand(base[stored], whole[name].detach()), atol=1e-5, rtol=0)
        assert not torch.equal(child[stored], base[stored])


@pytest.mark.parametrize("before", ["language_model.model.", "model.", "model.text_model."])
def test_an_adapter_that_names_layers_as_another_version_does(before: str, pair: Pair) -> None:
    folder = pair("llava")
    peft = adapted(folder / "eyes", folder / "lora", r".*language_model.*v_proj", AutoModelForImageTextToText)
    path = folder / "lora" / "adapter_model.safetensors"
    renamed = {name.replace("model.model.language_model.", f"model.{before}"): one for name, one in load_file(path).items()}
    assert all(f"base_model.model.{before}layers." in name for name in renamed)
    save_file(renamed, path, metadata={"format": "pt"})
    whole = dict(peft.merge_and_unload().get_decoder().named_parameters())["layers.1.self_attn.v_proj.weight"]
    base, child = tensors(folder / "eyes"), tensors(merged(folder, source="eyes+./lora"))
    stored = "language_model.model.layers.1.self_attn.v_proj.weight"
    torch.testing.assert_close(child[stored], by_hand(base[stored], whole.detach()), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (r".*vision_tower.*\.q_proj", "changes nothing but its eyes (model.vision_tower.encoder.layers.0.self_attn.q_proj)"),
        (r".*multi_modal_projector\.linear_1", "changes nothing but its eyes (model.multi_modal_projector.linear_1)"),
        (["q_proj"], "changes model.vision_tower.encoder.layers.0.self_attn.q_proj as well"),
    ],
)
def test_an_adapter_of_the_eyes_is_refused(targets: str | list[str], said: str, pair: Pair) -> None:
    folder = pair("llava")
    adapted(folder / "eyes", folder / "lora", targets, AutoModelForImageTextToText)
    with pytest.raises(InputError) as refused:
        merged(folder, source="eyes+./lora")
    assert f"{said}, but tower and projector are never merged" in str(refused.value)
    assert "\n" not in str(refused.value)


def refusal(folder: Path, source: str = "text", base: str = "eyes", further: str = "") -> str:
    with pytest.raises(InputError) as refused:
        merged(folder, source, base, further)
    assert "\n" not in str(refused.value)
    assert not (folder / "child").exists()
    return str(refused.value)


def test_another_text_architecture_is_refused(pair: Pair) -> None:
    folder = pair("llava")
    write_text_model(folder / "mistral", "llava-next")
    assert "model_type is 'mistral', but 'llama' in ./eyes" in refusal(folder, "mistral")


def test_another_body_is_refused(pair: Pair) -> None:
    folder = pair("llava")
    write_vision_model(folder / "smol", "smolvlm")
    assert "has another body: it is a 'smolvlm', ./eyes a 'llava'" in refusal(folder, "smol")


def test_a_tower_of_another_width_is_another_body(pair: Pair) -> None:
    folder = pair("llava")
    copytree(folder / "eyes", folder / "wide")
    wide = tensors(folder / "wide")
    name = "vision_tower.encoder.layers.0.mlp.fc1.weight"
    wide[name] = torch.zeros(26, 16)
    save_file(wide, folder / "wide" / "model.safetensors", metadata={"format": "pt"})
    said = refusal(folder, "wide")
    assert f"has another body: {name} is [26, 16], but [24, 16] in ./eyes" in said


@pytest.mark.parametrize(
    "named", ["tokenizer_source: ./text", "tokenizer_source: union", "tokenizer: {source: base, pad_to_multiple_of: 24}"]
)
def test_another_tokenizer_than_the_eyes_own_is_refused(named: str, pair: Pair) -> None:
    folder = pair("llava")
    write_tokenizer(folder / "text", [*WORDS[:-1], "another"])
    said = refusal(folder, further=f"{named}\n")
    assert "tokenizer_source: " in said
    assert "picture's tokens" in said
    assert "write ./eyes, or leave it out" in said


def test_a_model_without_its_tower_is_refused(pair: Pair) -> None:
    folder = pair("gemma3")
    blind = {name: one for name, one in tensors(folder / "eyes").items() if name.startswith("language_model.")}
    save_file(blind, folder / "eyes" / "model.safetensors", metadata={"format": "pt"})
    assert "vision_config says that it sees, but the weights have no vision tower" in refusal(folder)


@pytest.mark.parametrize("kind", ["llava", "llava_llama"])
def test_a_model_in_the_form_of_its_authors_code_is_told_from_a_text_model(kind: str, pair: Pair) -> None:
    """As LLaVA's authors store it: a text model's config and names, and tower and projector beside them."""
    folder = pair("llava")
    copytree(folder / "text", folder / "theirs")
    stored = tensors(folder / "theirs") | {"model.mm_projector.0.weight": torch.zeros(32, 16)}
    save_file(stored, folder / "theirs" / "model.safetensors", metadata={"format": "pt"})
    # settings of their own are not a text_config's
    change_config(folder / "theirs", model_type=kind, architectures=["LlavaLlamaForCausalLM"], mm_vision_tower="clip")
    said = "isn't stored beside model.mm_projector.0.weight as transformers' own classes store one; take"
    for line in (refusal(folder, "text", "theirs"), refusal(folder, "theirs", "text")):
        assert f"{folder / 'theirs' / 'config.json'}: it reads pictures" in line
        assert said in line


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"image_token_index": 900, "image_token_id": 900}, "the image token has id 900, but the embedding 64 rows"),
        ({"vision_config": {"model_type": "nope"}}, "Unrecognized model type for subconfig: nope"),
    ],
)
def test_a_config_that_contradicts_the_model_is_refused_shortly(settings: dict[str, object], said: str, pair: Pair) -> None:
    folder = pair("llava")
    change_config(folder / "eyes", **settings)
    line = refusal(folder)
    assert f"{folder / 'eyes' / 'config.json'}: {said}" in line
    assert len(line) < len(str(folder)) + 400


def test_a_type_that_transformers_does_not_know_is_merged_by_its_text_config(pair: Pair) -> None:
    folder = pair("llava")
    change_config(folder / "eyes", model_type="a-new-one", architectures=["ANewOneForConditionalGeneration"])
    assert_merged(folder, lambda name: stored_name("llava", name))


def path_of(layers: str) -> str:
    models = "models: {A: ./eyes, B: ./text}\n"
    return f"evomerge_path: 1\n{models}path:\n{layers}dtype: float32\nout_dtype: float32\n"


THERE_AND_BACK = "  - {model: A, layers: [0, 2]}\n  - {model: B, layers: [0, 1]}\n  - {model: A, layers: [1, 2]}\n"


@pytest.mark.parametrize("family", ["smolvlm", "llava", "qwen2.5-vl", "gemma3"])
def test_a_path_runs_through_layers_of_both(family: str, pair: Pair) -> None:
    folder = pair(family)
    child = tensors(merged_by(folder, path_of(THERE_AND_BACK)))
    base, text = tensors(folder / "eyes"), tensors(folder / "text")

    def layer(of: dict[str, Tensor], name: str) -> Tensor:
        return of[name.format("mlp.up_proj.weight")]

    stored = stored_name(family, "model.layers.")
    for number, (model, name) in enumerate(
        [(base, f"{stored}0.{{}}"), (base, f"{stored}1.{{}}"), (text, "model.layers.0.{}"), (base, f"{stored}1.{{}}")]
    ):
        assert torch.equal(layer(child, f"{stored}{number}.{{}}"), layer(model, name))
    loaded = AutoModelForImageTextToText.from_pretrained(folder / "child")
    assert loaded.config.get_text_config().num_hidden_layers == 4
    tower = FAMILIES[family].tower
    assert all(torch.equal(child[name], base[name]) for name in base if name.startswith(tower))


def test_a_path_through_a_text_model_alone_sees_as_the_model_of_its_tokenizer(pair: Pair) -> None:
    family = "smolvlm"
    folder = pair(family)
    path = "evomerge_path: 1\nmodels: {B: ./text}\npath:\n  - {model: B, layers: [1, 2]}\n  - {model: B, layers: [0, 2]}\n"
    child = tensors(merged_by(folder, f"{path}tokenizer_source: ./eyes\ndtype: float32\nout_dtype: float32\n"))
    base, text = tensors(folder / "eyes"), tensors(folder / "text")
    for number, layer in enumerate([1, 0, 1]):
        made = child[stored_name(family, f"model.layers.{number}.mlp.up_proj.weight")]
        assert torch.equal(made, text[f"model.layers.{layer}.mlp.up_proj.weight"])
    rows = stored_name(family, "model.embed_tokens.weight")
    assert torch.equal(child[rows][: len(WORDS)], text["model.embed_tokens.weight"])
    assert torch.equal(child[rows][IMAGE_ROW], base[rows][IMAGE_ROW])
    tower = FAMILIES[family].tower
    assert all(torch.equal(child[name], base[name]) for name in base if name.startswith(tower))
    assert (folder / "child" / "preprocessor_config.json").read_bytes() == (
        folder / "eyes" / "preprocessor_config.json"
    ).read_bytes()


def test_a_depth_that_the_config_leaves_to_a_default_is_written_for_another(tmp_path: Path) -> None:
    """LLaVA's configs on the hub say only what Vicuna's own config says otherwise than transformers' defaults."""
    write_vision_model(tmp_path / "eyes", "llava", num_hidden_layers=32)
    path = tmp_path / "eyes" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    del config["text_config"]["num_hidden_layers"]
    path.write_text(json.dumps(config), encoding="utf-8")
    merged_by(tmp_path, "evomerge_path: 1\nmodels: {A: ./eyes}\npath:\n  - {model: A, layers: [0, 3]}\n")
    loaded, report = AutoModelForImageTextToText.from_pretrained(tmp_path / "child", output_loading_info=True)
    assert loaded.config.get_text_config().num_hidden_layers == 3
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]


def test_layers_of_deepstack_stay_in_their_places(pair: Pair) -> None:
    folder = pair("qwen3-vl")
    with pytest.raises(InputError, match=r"^\./eyes: its layers must stay in their places: .*\(deepstack\)"):
        merged_by(folder, path_of(THERE_AND_BACK))
    merged_by(folder, path_of("  - {model: A, layers: [0, 1]}\n  - {model: B, layers: [1, 2]}\n"))
