"""Test that names in code pages are read as they are meant, or that there is a question with the right ones in it."""

import zipfile
from pathlib import Path

import pytest

from ml.datasets.archives import open_archive
from ml.datasets.name_encodings import decode_name, judge_names
from ml.datasets.readings import parse_layout
from tests.archive_files import make_zip

NAMES = [
    *(("gbk", words) for words in ("苹果 香蕉", "猫 狗", "玫瑰 郁金香 蒲公英", "合格 不合格")),
    *(("cp932", words) for words in ("りんご バナナ", "表 犬 猫", "正常 異常", "桜 梅")),
    *(("cp949", words) for words in ("고양이 개", "사과 바나나", "정상 불량")),
    *(("big5", words) for words in ("蘋果 香蕉", "貓 狗", "正常 瑕疵")),
    *(("cp866", words) for words in ("кошка собака", "Яблоко")),
    *(("cp1251", words) for words in ("кошка собака", "Яблоко груша")),
    *(("cp1252", words) for words in ("Äpfel Brötchen", "maçã", "crème", "Größe", "chèvre bœuf")),
    *(("cp850", words) for words in ("maçã limão", "pêra", "Äpfel Brötchen")),
    *(("cp437", words) for words in ("Blüten", "señal", "café")),
    *(("cp1250", words) for words in ("jabłko gruszka", "růže")),
    *(("cp852", words) for words in ("jabłko", "růže")),
    *(("cp1253", words) for words in ("μήλο",)),
    *(("cp1254", words) for words in ("çiçek gül ağaç",)),
    *(("utf-8", words) for words in ("Äpfel", "苹果 香蕉", "ёж")),
]


@pytest.mark.parametrize(("encoding", "words"), NAMES)
def test_names_are_right_or_asked_about(encoding: str, words: str) -> None:
    raw = [f"{word}/1.jpg".encode(encoding) for word in words.split()]
    judged = judge_names(raw)
    meant = tuple(word for word in words.split() if not word.isascii())[:3]
    read = [candidate.examples for candidate in judged.candidates]
    assert read[0] == meant or (judged.is_doubtful and meant in read)


def test_names_of_no_encoding_are_still_names() -> None:
    raw = [bytes(range(128, 256))]
    assert decode_name(raw[0], judge_names(raw).encoding)


def test_many_names_cost_little() -> None:
    judged = judge_names([f"苹果{number}/{number}.jpg".encode("gbk") for number in range(100_000)])
    assert judged.encoding == "gbk"


def zip_of(tmp_path: Path, names: list[bytes]) -> Path:
    """Make a zip whose names are these bytes, without a word about their encoding."""
    placeholders = {f"{'x' * (len(name) - 6)}{place}/.jpg": b"1" for place, name in enumerate(names)}
    path = make_zip(tmp_path, placeholders)
    data = path.read_bytes()
    for placeholder, name in zip(placeholders, names, strict=True):
        data = data.replace(placeholder.encode(), name)
    path.write_bytes(data)
    return path


def test_zip_of_windows_is_read_and_the_plan_says_how(tmp_path: Path) -> None:
    path = zip_of(tmp_path, ["苹果1/1.jpg".encode("gbk"), "香蕉22/1.jpg".encode("gbk")])
    plan = open_archive(path).plan
    assert plan.classes == {"苹果1": 1, "香蕉22": 1}
    assert any("gbk" in warning for warning in plan.warnings)


def test_zip_names_can_be_read_in_another_encoding(tmp_path: Path) -> None:
    path = zip_of(tmp_path, ["кошка/1.jpg".encode("cp866")])
    plan = open_archive(path).plan
    assert plan.classes == {"кошка": 1}
    asked = next(question for question in plan.questions if question.key == "encoding")
    assert asked.options[0].layout == "auto,encoding=cp866"
    other = open_archive(path, layout=parse_layout("auto,encoding=cp1251")).plan
    assert list(other.classes) == ["кошка".encode("cp866").decode("cp1251").replace("\xa0", "\xa0").strip()]
    assert not [question for question in other.questions if question.key == "encoding"]


def test_zip_in_utf8_without_saying_so_needs_no_word(tmp_path: Path) -> None:
    plan = open_archive(zip_of(tmp_path, ["Blüten/1.jpg".encode()])).plan
    assert not [warning for warning in plan.warnings if "written" in warning]
    assert zipfile.ZipFile(tmp_path / "pictures.zip").namelist() != ["Blüten/1.jpg"]
