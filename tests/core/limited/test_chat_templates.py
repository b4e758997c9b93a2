"""Chat templates render as transformers renders them; what loops, grows or breaks is refused in one line."""

from __future__ import annotations

import re
from typing import Any

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from evomerge_core.limited.chat_template import check_template, render_template, render_unfinished_chat
from evomerge_core.limited.limited_process import Refused

MESSAGES = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "größe <b>?\n答え"},
    {"role": "assistant", "content": "4"},
    {"role": "user", "content": "'and' \"so\" on "},
]
NAMED = {"bos_token": "<s>", "eos_token": "</s>"}
SOUND = {
    "chatml": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m['content'] | trim }}<|im_end|>\n{% endfor %}",
    "tokens": "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}",
    "white space": "  {% for m in messages %}\n    {% if loop.first %}\n  [{{ m.role }}]\n  {% endif %}\n{% endfor %}\nend\n",
    "json": "{{ messages | tojson }}|{{ messages | tojson(indent=2, sort_keys=true) }}",
    "generation": "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
    "loop controls": "{% for m in messages %}{% if m.role == 'assistant' %}{% break %}{% endif %}{{ m.content }}{% endfor %}",
    "namespace": "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
    "dict": "{{ dict(a=1) }}{{ dict.fromkeys(['x']) }}",
    "nothing given": "{% if tools %}tools{% endif %}{% if documents is none %}none{% endif %}",
    "generation prompt": "{% if add_generation_prompt %}go{% endif %}",
    "date": "{{ strftime_now('%Y') }}",
    "macro": "{% macro say(m) %}<{{ m.role }}>{{ m.content }}{% endmacro %}{% for m in messages %}{{ say(m) }}{% endfor %}",
    "nothing": "",
}
# Each with what is said of it.
HOSTILE = {
    "loops": ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "longer than 2 s"),
    "repeated text": ("{{ 'x' * 10**10 }}", "512 MB"),
    "repeated list": ("{{ [1] * 10**9 }}", "512 MB"),
    "center": ("{{ 'x' | center(10**10) }}", "512 MB"),
    "ljust": ("{{ 'x'.ljust(10**10) }}", "512 MB"),
    "indent": ("{{ ('x\n' * 1000000) | indent(10000) }}", "512 MB|longer than"),
    "tojson": ("{{ messages | tojson(indent=10**10) }}", "512 MB"),
    "format": ("{{ '%10000000000d' % 1 }}", "512 MB"),
    "format method": ("{{ '{:>10000000000}'.format(1) }}", "512 MB"),
    "much text": ("{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}", "10,000,000 characters"),
    "a huge range": ("{{ range(10**12) | list }}", "[Rr]ange too big"),
    "recursion": ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
    "nested brackets": ("{{ " + "(" * 100_000, "recursion"),
    "nested blocks": ("{% if true %}" * 5000, "recursion"),
    "division": ("{{ 1 / 0 }}", "division by zero"),
    "types": ("{{ messages + 1 }}", "concatenate"),
    "missing key": ("{{ messages[99].content }}", "has no"),
    "include": ("{% include 'x' %}", "no loader"),
    "import": ("{% import '/etc/passwd' as x %}", "no loader"),
    "syntax": ("{% for m in messages %}", "end of template"),
    "half a character": ("{{ '\\ud800' }}", "half a character"),
    "the sandbox": ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
    "format's sandbox": ("{{ '{0.__class__.__mro__}'.format('') }}", "unsafe"),
    "lipsum": ("{{ lipsum(n=10**6) }}", "may not import|longer than"),
    "changing its input": ("{{ messages.append(1) }}", "unsafe"),
}


@pytest.mark.parametrize("answer", [False, True])
@pytest.mark.parametrize("template", SOUND.values(), ids=SOUND)
def test_it_is_what_transformers_renders(template: str, answer: bool) -> None:
    (wanted,), _ = render_jinja_template([MESSAGES], chat_template=template, add_generation_prompt=answer, **NAMED)  # type: ignore[arg-type]
    assert render_template(template, MESSAGES, NAMED, answer=answer) == wanted


@pytest.mark.parametrize(("template", "said"), HOSTILE.values(), ids=HOSTILE)
def test_what_loops_grows_or_breaks_is_refused_in_one_line(template: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        render_template(template, MESSAGES, NAMED)
    assert re.search(said, str(refused.value)), str(refused.value)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400
    # The next one is none the worse for it.
    assert render_template("{{ messages[0].content }}", MESSAGES, NAMED) == "be brief"


@pytest.mark.parametrize("template", [7, 1.5, None, True, ["x"], {"default": "x"}])
def test_a_template_that_is_no_text_is_refused(template: Any) -> None:
    with pytest.raises(Refused, match="isn't a text"):
        render_template(template, MESSAGES, NAMED)


def test_a_broken_template_is_found_without_a_conversation() -> None:
    check_template("{{ messages[99].content }}")
    with pytest.raises(Refused):
        check_template("{% if %}")


class _Tokenizer:
    chat_template = SOUND["chatml"]
    special_tokens_map: dict[str, Any] = {}  # noqa: RUF012

    def get_chat_template(self) -> str:
        return self.chat_template


def test_a_message_that_is_to_be_continued_ends_the_text() -> None:
    messages = [{"role": "user", "content": "count"}, {"role": "assistant", "content": "one, two, "}]
    (wanted,), _ = render_jinja_template([messages], chat_template=SOUND["chatml"], continue_final_message=True)  # type: ignore[list-item]
    assert render_unfinished_chat(_Tokenizer(), messages) == wanted.rstrip()
