"""The items for verification: the validation items of a run, or neutral prompts for a model without a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evomerge_core.tasks.evaluator import Answer, Question

if TYPE_CHECKING:
    from evomerge_core.run.plan import Asked
    from evomerge_core.run.setup import Setup

_NEW_TOKENS = 24


@dataclass(frozen=True)
class ProofItem:
    """A rendered question. `score` gives 0..1 for an answer (None: nothing is scored), `weight` is its share of the score."""

    question: Question
    score: Callable[[Answer], float] | None = None
    weight: float = 1.0


def proof_items(setup: Setup, split: str = "validation") -> tuple[ProofItem, ...]:
    """A run's items of a split, scored by their tasks; weights make the mean the run's own score.

    A run without validation items uses those of the search.
    """
    asked = setup.plan.asked[split] or setup.plan.asked["search"]
    counts = {task.name: sum(a.task.name == task.name for a in asked) for task in setup.plan.tasks}
    return tuple(ProofItem(a.question, _scorer(a), a.task.weight / counts[a.task.name]) for a in asked)


def proof_items_default() -> tuple[ProofItem, ...]:
    """Prompts of many kinds, where tokenizers and numbers go wrong: languages, digits, code, emoji, white space."""
    return tuple(ProofItem(Question(prompt=text, max_new_tokens=_NEW_TOKENS, add_special_tokens=True)) for text in _PROMPTS)


def _scorer(asked: Asked) -> Callable[[Answer], float]:
    return lambda answer: asked.task.score(asked.item, answer).value


_PROMPTS = (
    "The river was wider than any of them remembered, and the ferry",
    "Water boils at a lower temperature on a mountain because",
    "Dear Ms. O'Neill,\n\nThank you for your letter of 3 March. We",
    "Q: Which planet is the largest?\nA:",
    'She said, "I can\'t believe it\'s not raining!" and he replied, "',
    "A short list of tools:\n- hammer\n- saw\n-",
    "Die Straße zum Bahnhof führt über die alte Brücke, deshalb",
    "L'été dernier, nous avons traversé la forêt où",
    "El niño preguntó: ¿cuántas estrellas hay en el cielo? Su abuela",
    "Il caffè è pronto, perciò",
    "Wczoraj wieczorem źle się czułem, więc",
    "Bugün hava çok güzel, çocuklar",
    "Сегодня утром мы вышли из дома раньше обычного, потому что",
    "Η θάλασσα ήταν ήρεμη και",
    "春になると、川のそばの桜が",
    "東京から京都まで新幹線で",
    "今天的天气很好，我们决定",
    "오늘은 비가 와서 우리는",
    "كان القمر بدراً تلك الليلة، و",
    "הספרייה נסגרת בשעה",
    "बाज़ार में बहुत भीड़ थी, इसलिए",
    "เมื่อวานนี้ฝนตกหนักมาก",
    "Hôm qua trời mưa to nên",
    "12 + 30 = 42\n7 + 8 = 15\n123 + 456 =",
    "3.14159 2.71828 1.41421 0.57721",
    "On 2024-02-29 at 23:59:59 the counter read 1000000007 and",
    "Prices: €19.99, £7.50, ¥1,200, 15 %, ½ litre, 10⁻³ m",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    '#include <stdio.h>\n\nint main(void) {\n\tprintf("%d\\n", 0x1F);\n\treturn',
    "SELECT name, COUNT(*) FROM orders WHERE total >= 100 GROUP BY",
    '{"id": 17, "tags": ["a", "b"], "nested": {"ok": true, "value":',
    "<ul>\n  <li>first</li>\n  <li>second</li>\n</ul>\n<p>",
    "for f in *.txt; do\n  wc -l \"$f\" | awk '{print $1}'\ndone\n#",
    "\\begin{equation}\n  \\int_0^1 x^2\\,dx = \\frac{1}{3}\n\\end{equation}\n",
    "🙂 Good morning! 👩‍🔬🧪 We found 🇯🇵 and 🇧🇷 flags, 👍🏽 and",
    "a  b   c    d\te\t\tf\n\n\ng \n h",
    "    indented by four\n        indented by eight\n\tand by a tab",
    "ALL CAPS, camelCase, snake_case, kebab-case, SCREAMING_SNAKE",
    "naïve façade coöperate Ångström ﬁnal ﬂow Ⅷ ①",
    "https://example.org/a/b?c=1&d=%20#top and name@example.org",
)
