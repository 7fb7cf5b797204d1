"""Judge in which encoding the names of an archive were written that do not say it, over all of them together.

Windows writes the names in a zip in the code page of the country, and nothing in the zip says which. Each encoding that
could have written all the names is scored by how unlike writing its result looks: signs for drawing boxes, capitals
within a word, letters of several alphabets in a word, rare characters. The lowest wins; if another that gives other
names is hardly worse, that is a question.
"""

import functools
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

UTF8, DEFAULT = "utf-8", "cp437"
_LATIN = ("cp437", "cp850", "cp1252", "cp852", "cp1250", "cp857", "cp1254")
_OTHER = ("cp866", "cp1251", "koi8_r", "cp1253", "cp737", "cp1255", "cp862", "cp1256", "cp874")
_CENTRAL = ("cp852", "cp1250", "cp857", "cp1254")
_EAST = ("gbk", "cp932", "cp949", "big5")
_JUDGED = (*_LATIN, *_OTHER, *_EAST)
# Penalties, per character that is not ASCII, for encodings of fewer people or programs that write zips.
_RARE_PRIOR = 0.08
_PRIOR = {
    **{"cp437": 0.0, "gbk": 0.0, "cp850": 0.02, "cp1252": 0.02, "cp866": 0.02, "cp932": 0.02, "cp949": 0.03},
    **{"cp1255": 0.12, "cp857": 0.15, "cp737": 0.18, "koi8_r": 0.18, "cp862": 0.18, "cp874": 0.25},
}
_CLEAR = 0.22  # by how much the best has to be better than the next
_SEPARATORS = re.compile(r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f0-9]+")
_MOST_BYTES = 20_000  # judged, of all names together
_SHOWN = 4  # candidates

# The usual letters of the Latin code pages, and what everyday names in Chinese, Japanese and Korean are written with.
_USUAL_LATIN = frozenset("äöüÄÖÜßéèêëàâçÉÈÀÇñÑíáúóôîïûùãõåÅæøÆØœ")
_USUAL_CENTRAL = frozenset("ąćęłńóśźżŁŚŻřžůčšěťďňáéíýúŘŽČŠőűöüäôľşğıİŞğ")
_USUAL_HANZI = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种"
    "事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力与长把机十民第公此已工"
    "使情明性知全三又关点正业外将两高间由问很最重并物手应向头文体美相见被利什二等产新己制身果加西月话合回特代内信表化老给世位次"
    "度门常先海通教儿原东声提立比员解水名真论处走各入口认条平系气题活更别打女变四神总何电数安少报才结反目太量再感建接场件计管期"
    "市直德资命山金路白花红黄蓝绿黑色鱼鸟猫狗马牛羊猪鸡鸭鹅虎龙蛇兔鼠猴熊苹香蕉橙桃葡萄瓜菜米肉茶酒树叶草车船飞床桌椅书笔图片"
    "照训练测试数据集类别正常异缺陷犬表花桜鳥魚木林森川島空雨雪風火土石男女父母犬猫車電蘋蝴蝶狸貓魚鳥馬紅黃藍綠圖測試訓練資料"
)
_USUAL_HANGUL = frozenset(
    "이다는을의에가고하지로도은한기를사나어리아자서시대인그들것있수부정일해전라주보게여제과만스으면니상구장원공유동성무소안미"
    "화우조선생경신내오모드비학관트위거문연마년회중물세재계개력차방분당바진요용강금단반발배백법본불산새색생석설손송순술식실심"
    "여역영예옥외월음의입작잔점집참책천초추춘치토통파판편평포표풍피필하학한함합항행향현형호홍환황후개고양이강아지사과바나나꽃"
)


@dataclass(frozen=True)
class Candidate:
    """An encoding and what it makes of some of the names."""

    encoding: str
    examples: tuple[str, ...]


@dataclass(frozen=True)
class NameEncoding:
    """The encoding of the names that do not say it, the best first of the candidates."""

    encoding: str
    candidates: tuple[Candidate, ...] = ()
    is_doubtful: bool = False


def judge_names(names: Iterable[bytes]) -> NameEncoding:
    """Judge the encoding of names, at least one of which is not ASCII."""
    distinct = _distinct_parts(names)
    if all(_decode(UTF8, part) is not None for part in distinct):
        return NameEncoding(UTF8, (_candidate(UTF8, distinct),))
    scored = sorted(
        (score, place) for place, name in enumerate(_JUDGED) if (score := _score(name, distinct)) is not None
    )
    ranked = [(score, _JUDGED[place]) for score, place in scored] or [(0.0, DEFAULT)]
    best = ranked[0]
    different = _with_other_names(ranked, distinct)
    doubtful = len(different) > 1 and different[1][0] - best[0] < _CLEAR
    return NameEncoding(best[1], tuple(_candidate(name, distinct) for _, name in different[:_SHOWN]), doubtful)


def decode_name(raw: bytes, encoding: str) -> str:
    """Return the name in this encoding, or as UTF-8 or in cp437 if it cannot have written it."""
    for name in (encoding, UTF8):
        text = _decode(name, raw)
        if text is not None:
            return text
    return raw.decode(DEFAULT)


def _distinct_parts(names: Iterable[bytes]) -> list[bytes]:
    """List the different words of the paths that are not ASCII, up to a limit of bytes."""
    found: dict[bytes, None] = {}
    size = 0
    for name in names:
        for part in _split_path(name):
            if not part.isascii() and part not in found:
                found[part] = None
                size += len(part)
        if size > _MOST_BYTES:
            break
    return list(found)


@functools.lru_cache(maxsize=256)
def _split_folder(folder: bytes) -> tuple[bytes, ...]:
    return tuple(folder.split(b"/"))


def _split_path(name: bytes) -> tuple[bytes, ...]:
    folder, _, last = name.rpartition(b"/")
    return (*_split_folder(folder), last)


def _decode(encoding: str, raw: bytes) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _with_other_names(ranked: list[tuple[float, str]], parts: list[bytes]) -> list[tuple[float, str]]:
    """Leave out the encodings that give the same names as a better one."""
    seen: set[tuple[str, ...]] = set()
    kept = []
    for score, name in ranked:
        texts = tuple(decode_name(part, name) for part in parts)
        if texts not in seen:
            seen.add(texts)
            kept.append((score, name))
    return kept


def _candidate(encoding: str, parts: list[bytes]) -> Candidate:
    return Candidate(encoding, tuple(decode_name(part, encoding) for part in parts[:3]))


def _score(encoding: str, parts: list[bytes]) -> float | None:
    """Return how unlike writing the names look in this encoding, or None if it cannot have written them."""
    penalty, characters = 0.0, 0
    weigh = _weigh_eastern if encoding in _EAST else _weigh_alphabetic
    for part in parts:
        text = _decode(encoding, part)
        if text is None:
            return None
        cost, count = weigh(text, encoding)
        penalty, characters = penalty + cost, characters + count
    return penalty / max(1, characters) + _PRIOR.get(encoding, _RARE_PRIOR)


def _words(text: str) -> list[str]:
    return _SEPARATORS.split(text)


def _weigh_alphabetic(text: str, encoding: str) -> tuple[float, int]:
    """Weigh the words of an alphabet: return the penalties and the number of characters that are not ASCII."""
    cost, count = 0.0, 0
    for word in _words(text):
        foreign = [letter for letter in word if letter > "\x7f"]
        count += len(foreign)
        usual = _USUAL_CENTRAL if encoding in _CENTRAL else _USUAL_LATIN
        cost += sum(0.05 if letter in usual else _cost_of_letter(letter) for letter in foreign)
        if foreign:
            cost += _cost_of_word(word, foreign)
    return cost, count


@functools.lru_cache(maxsize=1024)
def _script(letter: str) -> str:
    return unicodedata.name(letter, "?").split(" ")[0]


@functools.lru_cache(maxsize=1024)
def _cost_of_letter(letter: str) -> float:
    kind = unicodedata.category(letter)
    if kind[0] not in "LM" or letter in "ªºƒ":
        return 2.0 if kind[0] == "C" else 1.3
    if _script(letter) == "LATIN":
        return 0.4
    return 0.1


def _cost_of_word(word: str, foreign: list[str]) -> float:
    letters = [letter for letter in word if letter.isalpha()]
    scripts = {_script(letter) for letter in letters}
    cost = 0.8 * len(foreign) if len(scripts) > 1 else 0.0
    # A capital behind a small letter, or a word of nothing but accents, as another alphabet gives in a Latin page.
    cost += sum(0.5 for before, letter in itertools.pairwise(letters) if before.islower() and letter.isupper())
    if scripts == {"LATIN"} and len(foreign) > 1:
        runs = sum(1 for before, letter in itertools.pairwise(letters) if before > "\x7f" and letter > "\x7f")
        cost += 0.6 * runs
    return cost


def _weigh_eastern(text: str, encoding: str) -> tuple[float, int]:
    cost, count = 0.0, 0
    usual: Callable[[str], float] = _COST_OF[encoding]
    for letter in text:
        if letter > "\x7f":
            count += 2  # bytes, as one of an alphabet has one
            cost += 2 * usual(letter)
            raw = letter.encode(encoding, "replace")
            cost += 0.5 if len(raw) == 2 and raw[1] < 0x80 and encoding in ("gbk", "cp949") else 0.0
    return cost + _cost_of_mixed(text), count


def _cost_of_mixed(text: str) -> float:
    """Return a penalty for words in which single characters stand among Latin letters, as in pfel for Äpfel."""
    cost = 0.0
    for before, letter in itertools.pairwise(text):
        if (before > "\x7f") != (letter > "\x7f") and before.isalpha() and letter.isalpha():
            cost += 0.7
    return cost


def _cost_of_hanzi(letter: str) -> float:
    if letter in _USUAL_HANZI:
        return 0.02
    if not "\u4e00" <= letter <= "\u9fff":
        return 0.15 if "\uff00" <= letter <= "\uff5e" or "\u3000" <= letter <= "\u3002" else 0.9
    raw = letter.encode("gb2312", "ignore")
    return 0.2 if raw and raw[0] <= 0xD7 else 0.5


def _cost_of_big5(letter: str) -> float:
    if letter in _USUAL_HANZI:
        return 0.02
    raw = letter.encode("big5", "ignore")
    return 0.22 if len(raw) == 2 and 0xA4 <= raw[0] <= 0xC6 and "\u4e00" <= letter <= "\u9fff" else 0.6


def _cost_of_japanese(letter: str) -> float:
    if "\u3041" <= letter <= "\u30fc":
        return 0.03
    if "\uff61" <= letter <= "\uff9f":
        return 0.9  # narrow kana, a byte each, which other encodings give
    if letter in _USUAL_HANZI:
        return 0.05
    raw = letter.encode("cp932", "ignore")
    return 0.3 if len(raw) == 2 and raw[0] <= 0x97 and "\u4e00" <= letter <= "\u9fff" else 0.9


def _cost_of_korean(letter: str) -> float:
    if letter in _USUAL_HANGUL:
        return 0.03
    return 0.4 if "\uac00" <= letter <= "\ud7a3" else 0.7


_COST_OF: dict[str, Callable[[str], float]] = {
    "gbk": _cost_of_hanzi,
    "big5": _cost_of_big5,
    "cp932": _cost_of_japanese,
    "cp949": _cost_of_korean,
}
