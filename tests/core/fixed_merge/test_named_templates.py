"""mergekit's named chat templates, as transformers renders them. The texts are what mergekit 0.1.5's own files give."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from evomerge_core.files.yaml_file import parse_yaml
from evomerge_core.fixed_merge.mergekit import merge_in

TALK = [("system", "Be kind."), ("user", " hi"), ("assistant", "hello "), ("user", "bye")]
EXPECTED = {
    "chatml": (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n hi<|im_end|>\n"
        "<|im_start|>assistant\nhello <|im_end|>\n<|im_start|>user\nbye<|im_end|>\n<|im_start|>assistant\n"
    ),
    "llama3": (
        "<s><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|>\n"
        "<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>\n"
        "<|start_header_id|>assistant<|end_header_id|>\n\nhello<|eot_id|>\n"
        "<|start_header_id|>user<|end_header_id|>\n\nbye<|eot_id|>\n<|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "mistral": "<s> [INST] Be kind.\n\n hi [/INST] hello </s> [INST] bye [/INST]",
    "alpaca": "Be kind.\n\n### Instruction:\nhi\n\n### Response:\nhello\n\n### Instruction:\nbye### Response:\n",
    "exaone": (
        "    [|system|]Be kind.\n        [|endofturn|]\n\n    [|user|] hi\n        \n\n"
        "    [|assistant|]hello \n        [|endofturn|]\n\n    [|user|]bye\n        \n\n    [|assistant|]\n"
    ),
}


def template(name: str) -> str:
    text = f"merge_method: karcher\nmodels: [{{model: a}}, {{model: b}}]\nchat_template: {name}\n"
    found = merge_in(parse_yaml(text, Path("merge.yml"))).chat_template
    assert found is not None
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_a_name_of_mergekits_stands_for_its_template(name: str) -> None:
    messages = [{"role": role, "content": content} for role, content in TALK]
    rendered, _ = render_jinja_template(
        [messages], chat_template=template(name), add_generation_prompt=True, bos_token="<s>", eos_token="</s>"
    )
    assert rendered == [EXPECTED[name]]


def test_exaone_begins_without_a_system_message_too() -> None:
    messages = [{"role": "user", "content": "hi"}]
    rendered, _ = render_jinja_template([messages], chat_template=template("exaone"))
    assert rendered == ["        [|system|][|endofturn|]\n\n    [|user|]hi\n        \n\n"]
