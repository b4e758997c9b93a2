"""Everyday questions in English, answered in Japanese: training material for the Japanese adapter, never arithmetic."""

from __future__ import annotations

import random

from evomerge_recipes.quickstart.arithmetic import TRAIN_NAMES

CAPITALS = {
    "France": "パリ", "Japan": "東京", "Italy": "ローマ", "Spain": "マドリード", "Germany": "ベルリン", "England": "ロンドン",
    "China": "北京", "Korea": "ソウル", "Russia": "モスクワ", "Egypt": "カイロ", "Greece": "アテネ", "Thailand": "バンコク",
    "Austria": "ウィーン", "Norway": "オスロ", "Portugal": "リスボン", "Cuba": "ハバナ", "Peru": "リマ", "Kenya": "ナイロビ",
    "Canada": "オタワ", "Poland": "ワルシャワ", "Hungary": "ブダペスト", "Ireland": "ダブリン", "Belgium": "ブリュッセル",
    "Finland": "ヘルシンキ",
}  # fmt: skip
COLOURS = {
    "the sky": "青", "snow": "白", "grass": "緑", "a banana": "黄色", "blood": "赤", "coal": "黒", "a lemon": "黄色",
    "milk": "白", "a tomato": "赤", "a carrot": "オレンジ色", "an elephant": "灰色", "chocolate": "茶色", "a frog": "緑",
    "a crow": "黒", "the sea": "青", "a cucumber": "緑", "a swan": "白", "a strawberry": "赤", "a flamingo": "ピンク",
}  # fmt: skip
OPPOSITES = {
    "hot": "冷たい", "big": "小さい", "long": "短い", "high": "低い", "fast": "遅い", "new": "古い", "light": "重い",
    "bright": "暗い", "strong": "弱い", "near": "遠い", "easy": "難しい", "left": "右", "up": "下", "day": "夜",
    "open": "閉じる", "wide": "狭い", "good": "悪い", "black": "白", "summer": "冬", "morning": "夕方",
}  # fmt: skip
TOOLS = {
    "cut paper": "はさみ", "write a letter": "ペン", "eat soup": "スプーン", "open a door": "鍵", "tell the time": "時計",
    "take a photo": "カメラ", "call a friend": "電話", "read a story": "本", "cross a river": "橋", "stay dry in the rain": "傘",
    "sweep the floor": "ほうき", "sleep": "ベッド", "sit down": "椅子", "brush the teeth": "歯ブラシ", "fly to another country": "飛行機",
    "ride to school": "自転車", "wash the hands": "石けん", "see in the dark": "ライト", "drink tea": "カップ", "hit a nail": "金づち",
}  # fmt: skip
KINDS = {
    "a sparrow": "鳥", "a rose": "花", "a tuna": "魚", "an ant": "虫", "an oak": "木", "a violin": "楽器", "a taxi": "車",
    "soccer": "スポーツ", "bread": "食べ物", "juice": "飲み物", "a shirt": "服", "Saturn": "星", "a piano": "楽器",
    "an eagle": "鳥", "a butterfly": "虫", "a tulip": "花", "tennis": "スポーツ", "coffee": "飲み物", "a coat": "服",
}  # fmt: skip
PLACES = {
    "kitchen": "台所", "garden": "庭", "school": "学校", "park": "公園", "station": "駅", "library": "図書館", "car": "車",
    "forest": "森", "hotel": "ホテル", "shop": "店", "office": "会社", "hospital": "病院", "beach": "海辺", "zoo": "動物園",
}  # fmt: skip
PETS = {
    "dog": "犬", "cat": "猫", "horse": "馬", "rabbit": "うさぎ", "turtle": "亀", "mouse": "ねずみ", "cow": "牛", "pig": "豚",
    "sheep": "羊", "duck": "あひる", "goat": "やぎ", "parrot": "おうむ",
}  # fmt: skip
THINGS = {
    "key": "鍵", "book": "本", "phone": "電話", "hat": "帽子", "bag": "かばん", "watch": "時計", "ball": "ボール", "cup": "カップ",
    "letter": "手紙", "camera": "カメラ", "pen": "ペン", "umbrella": "傘", "apple": "りんご", "ticket": "切符", "lamp": "ランプ",
}  # fmt: skip
SHADES = {"red": "赤", "blue": "青", "green": "緑", "white": "白", "black": "黒", "yellow": "黄色", "brown": "茶色"}

FACTS: tuple[tuple[dict[str, str], tuple[str, ...]], ...] = (
    (CAPITALS, ("What is the capital of {}?", "Which city is the capital of {}?", "Name the capital of {}.")),
    (COLOURS, ("What color is {}?", "Which color does {} usually have?", "Tell me the color of {}.")),
    (OPPOSITES, ('What is the opposite of "{}"?', 'Which word means the opposite of "{}"?')),
    (TOOLS, ("What do people use to {}?", "What do I need to {}?", "Which thing helps us to {}?")),
    (KINDS, ("What kind of thing is {}?", "What is {}?", "{} is a kind of what?")),
)


def answer_sentence(answer: str) -> str:
    """The adapter's one answer phrase: 答えは…です。"""
    return f"答えは{answer}です。"


def _fact(rng: random.Random) -> tuple[str, str]:
    table, templates = rng.choice(FACTS)
    subject, answer = rng.choice(sorted(table.items()))
    return rng.choice(templates).format(subject), answer


def _story(rng: random.Random) -> tuple[str, str]:
    """A little scene with a question about it: the form of a word problem, with nothing to count."""
    name, friend = rng.sample(TRAIN_NAMES, 2)
    (place, place_ja), (other, other_ja) = rng.sample(sorted(PLACES.items()), 2)
    (pet, pet_ja), (pet2, _) = rng.sample(sorted(PETS.items()), 2)
    (thing, thing_ja), (thing2, thing2_ja) = rng.sample(sorted(THINGS.items()), 2)
    (shade, shade_ja), (shade2, _) = rng.sample(sorted(SHADES.items()), 2)
    return rng.choice(
        [
            (f"{name} has a {pet}. {friend} has a {pet2}. Which animal does {name} have?", pet_ja),
            (f"{name} is in the {place}. {friend} is in the {other}. Where is {friend} now?", other_ja),
            (f"{name} puts the {thing} in the {place}. Where is the {thing} now?", place_ja),
            (f"{name} has a {shade} {thing} and a {shade2} {thing2}. What color is the {thing}?", shade_ja),
            (f"{name} bought a {thing} on Monday and a {thing2} on Tuesday. What did {name} buy on Tuesday?", thing2_ja),
            (f"There is a {thing} on the table. {name} takes it. What does {name} have now?", thing_ja),
            (f"{name} gives the {thing} to {friend} and keeps the {thing2}. What does {name} keep?", thing2_ja),
            (f"{name} had a {thing} and lost it in the {place}. What did {name} lose?", thing_ja),
            (f"{name} found a {thing} in the {place}. What did {name} find?", thing_ja),
            (f"{name} sells a {thing} to {friend}. What does {friend} have now?", thing_ja),
        ]
    )


def training_pairs(count: int, seed: int) -> list[tuple[str, str]]:
    """(English question, Japanese answer) pairs, questions all different; about half are facts, half little scenes."""
    rng = random.Random(seed)
    found: dict[str, str] = {}
    facts = sum(len(table) * len(templates) for table, templates in FACTS)
    while len(found) < count:
        make = _fact if len(found) < min(facts * 2 // 3, count // 2) else _story
        question, answer = make(rng)
        found.setdefault(question, answer_sentence(answer))
    pairs = list(found.items())
    rng.shuffle(pairs)
    return pairs
