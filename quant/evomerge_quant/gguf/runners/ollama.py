"""The Modelfile that imports a GGUF into Ollama, which would ignore the template in the file and guess one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.json_file import read_json
from evomerge_quant.gguf.runners.chat_format import ChatFormat, read_chat_format
from evomerge_quant.llama.model import Offload, open_gguf

# generation_config.json's names and Ollama's.
_SAMPLING = {
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "repetition_penalty": "repeat_penalty",
}


def modelfile(gguf: Path, model: Path, mmproj: Path | None = None) -> str:
    """FROM, TEMPLATE, SYSTEM, stops and sampling for a GGUF in the Modelfile's own folder, and a second FROM for its eyes."""
    chat = read_chat_format(model)
    with open_gguf(gguf, offload=Offload(0)) as opened:
        first = opened.tokenize("a", special=True)[0]
        begin = opened.token_text(first) if first == opened.begin else ""
        ends = [opened.token_text(token) for token in sorted(opened.ends)]
    files = [gguf.name] if mmproj is None else [gguf.name, mmproj.name]
    lines = [*(f"FROM ./{file}" for file in files), f"TEMPLATE {_quoted(go_template(chat, begin), model)}"]
    if not chat.has_system:
        lines.insert(0, "# The model's template has no place for a system text: SYSTEM has no effect.")
    if chat.default_system:
        lines.append(f"SYSTEM {_quoted(chat.default_system, model)}")
    lines += [f"PARAMETER stop {_quoted(stop, model)}" for stop in stops(chat, ends)]
    lines += _sampling(model)
    return "\n".join(lines) + "\n"


def go_template(chat: ChatFormat, begin: str) -> str:
    """The format in the language of Go's templates, as Ollama fills it in.

    `begin` is the token that llama.cpp puts before every text by itself ("" for none), so that it must not come twice. Nothing
    in it trims white space: what is not in braces stands for itself.
    """
    head, system_head = (_literal(text.removeprefix(begin)) for text in (chat.head, chat.system_head))
    start = head
    if chat.has_system:
        start = (
            f"{{{{ if .System }}}}{system_head}{{{{ .System }}}}{_literal(chat.system_tail)}{{{{ else }}}}{head}{{{{ end }}}}"
        )
    last = "{{ if eq (len (slice $.Messages $i)) 1 }}"
    user = f"{{{{ .Content }}}}{last}{_literal(chat.answer)}{{{{ else }}}}{_literal(chat.after_user)}{{{{ end }}}}"
    assistant = f"{{{{ .Content }}}}{last}{{{{ else }}}}{_literal(chat.after_assistant)}{{{{ end }}}}"
    return (
        f'{start}{{{{ range $i, $_ := .Messages }}}}{{{{ if eq .Role "user" }}}}{user}'
        f'{{{{ else if eq .Role "assistant" }}}}{assistant}{{{{ end }}}}{{{{ end }}}}'
    )


def stops(chat: ChatFormat, ends: Sequence[str]) -> tuple[str, ...]:
    """What ends an answer: the model's end tokens, and the marks before and after the assistant's text."""
    first_words = (line.strip() for text in (chat.end, chat.after_assistant) for line in text.strip().splitlines()[:1])
    return tuple(dict.fromkeys(text for text in (*first_words, *ends) if text))


def _sampling(model: Path) -> Iterator[str]:
    path = model / "generation_config.json"
    stated = read_json(path) if path.is_file() else {}
    for name, ours in _SAMPLING.items():
        value = stated.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield f"PARAMETER {ours} {value}"


def _literal(text: str) -> str:
    return text.replace("{{", '{{ "{{" }}')


def _quoted(text: str, model: Path) -> str:
    if '"""' in text:
        raise InputError(f'{model}: its chat template holds """, which a Modelfile can\'t: write the Modelfile by hand')
    if '"' not in text and "\n" not in text:
        return f'"{text}"'
    return f'"""{text}"""'
