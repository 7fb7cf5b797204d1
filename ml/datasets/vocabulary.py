"""Hold the names that folders, files and columns have in published data sets: splits, folders of no meaning, sessions.

They say what a folder is not: a class. Every name is compared as `fold` leaves it.
"""

import functools
import re
import unicodedata

from ml.datasets.splits import TEST, TRAINING, VALIDATION


def words(text: str) -> list[str]:
    """Return the words of a text, as a long list is read more easily."""
    return text.split()


_SPLIT_WORDS = {
    TRAINING: "train training trn trainval entrenamiento entrainement apprentissage treino treinamento"
    " addestramento trainingsdaten 训练 训练集 訓練 学習用 학습",
    VALIDATION: "val valid validate validation dev development validacion validacao validazione validierung publictest"
    " 验证 验证集 検証 검증",
    TEST: "test testing tests holdout hold_out eval evaluation pred predict prediction"
    " prueba pruebas teste prova testdaten privatetest"
    " 测试 测试集 テスト 시험",
}
_SPLITS = {word: split for split, words in _SPLIT_WORDS.items() for word in words.split()}
_WORDS = re.compile(r"[\s._\-]+")
_FILLING = "set sets data dataset images image imgs img pictures photos split samples labels folder files"
_FILLINGS = frozenset(_FILLING.split())

_GENERIC = frozenset(
    words(
        "images image imgs img imagens imagenes pictures picture pics pic photos photo fotos foto bilder data"
        " dataset datasets data_set raw rgb jpg jpeg jpegs jpegimages png pngs files file samples frames media"
        " upload uploads original originals src source output input all content 图片 图像 画像 写真 사진 이미지"
    )
)
# Beside pictures or splits these hold masks and boxes, not pictures; elsewhere they may be classes.
_NO_PICTURES = frozenset(
    words(
        "ground_truth groundtruth gt masks annotations annotation segmentation segmentations segmentationclass"
        " segmentationobject labels bboxes"
    )
)
_UNKNOWN = frozenset(words("unknown unclassified unsorted unassigned no_class none all all_classes dummy"))
_UNLABELLED = frozenset(words("unlabelled unlabeled unlabelled_data unlabeled_data unsup unsupervised no_label"))

_DAYS = "monday tuesday wednesday thursday friday saturday sunday"
_MONTHS = "january february march april may june july august september october november december"
_CALENDAR = frozenset([*_DAYS.split(), *_MONTHS.split(), *(name[:3] for name in f"{_DAYS} {_MONTHS}".split())])
_OCCASION = re.compile(
    r"(session|day|batch|part|video|vid|clip|movie|seq|sequence|scene|take|run|trial|fold|subject|participant|user"
    r"|cam|camera|burst|shoot|week|month|visit|recording|round)s?"
    r"(_?\d\w{0,12}|_[a-z]|_(new|old|morning|noon|evening|night|am|pm))?"
)
_DATE = re.compile(r"(19|20)\d\d(_?[01]\d(_?[0-3]\d)?)?(_\d+)*|[0-3]?\d_[01]?\d_(19|20)?\d\d")

# What cameras and programs put before the number.
_CAMERA = frozenset(
    words(
        "img image images dsc dscn dscf dji pxl mvimg pano photo photos picture pic foto frame frames screenshot"
        " scan whatsapp_image vid video file imag gopr untitled p img_e sample samples test train val download crop"
    )
)


@functools.lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """Return a name without case and width, with one underscore for what separates its words."""
    text = unicodedata.normalize("NFKC", name).casefold().strip()
    return re.sub(r"[\s._\-]+", "_", text).strip("_")


@functools.lru_cache(maxsize=4096)
def split_of(name: str) -> str:
    """Return the split that a folder, file or value of this name stands for, or "" if it stands for none."""
    split, rest = split_and_rest(name)
    return split if all(word in _FILLINGS for word in rest) else ""


@functools.lru_cache(maxsize=4096)
def split_and_rest(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the split that a name has among its words, or "", and the other words."""
    folded = fold(name)
    if folded in _SPLITS:
        return _SPLITS[folded], ()
    words = [_stem(word) for word in folded.split("_")]
    named = {_SPLITS[word] for word in words if word in _SPLITS}
    rest = tuple(word for word in words if word and word not in _SPLITS)
    return (named.pop() if len(named) == 1 else ""), rest


@functools.lru_cache(maxsize=4096)
def without_split(name: str) -> str:
    """Return a name without the split among its words, otherwise as it is written: hot_dog of hot_dog_train."""
    parts = re.split(f"({_WORDS.pattern})", name)
    words = zip(parts[::2], [*parts[1::2], ""], strict=True)
    return "".join(word + separator for word, separator in words if _stem(fold(word)) not in _SPLITS).strip(" ._-")


def _stem(word: str) -> str:
    return re.sub(r"\d+$", "", word)


@functools.lru_cache(maxsize=4096)
def class_beside_split(name: str) -> str:
    """Return what may be a class in a name that tells a split as well, or "": cat of cat_train, but not of train."""
    rest = without_split(name)
    tells_nothing = is_generic(rest) or holds_no_pictures(rest) or is_occasion(rest)
    return "" if tells_nothing or not split_and_rest(name)[0] or split_of(name) else rest


@functools.lru_cache(maxsize=4096)
def ends_in_split(name: str) -> bool:
    """Return whether the split in a name is its first or last word, and not one amid others."""
    words = [_stem(word) for word in fold(name).split("_")]
    return bool({words[0], words[-1]} & set(_SPLITS))


@functools.lru_cache(maxsize=4096)
def is_generic(name: str) -> bool:
    """Return whether a folder of this name says nothing of what is in it."""
    words = [word for word in re.sub(r"\d+", "", fold(name)).split("_") if word]
    return bool(words) and ("_".join(words) in _GENERIC or all(word in _GENERIC for word in words))


def holds_no_pictures(name: str) -> bool:
    """Return whether a folder of this name holds masks or boxes, if it lies beside splits or pictures."""
    return fold(name) in _NO_PICTURES


def is_unlabelled(name: str) -> bool:
    """Return whether a folder's name says that its pictures have no class."""
    return fold(name) in _UNLABELLED


def stands_for_no_class(name: str) -> bool:
    """Return whether the only folder of a test is there because some program wants one, as Keras does."""
    return fold(name) in _UNKNOWN


@functools.lru_cache(maxsize=4096)
def is_occasion(name: str) -> bool:
    """Return whether a folder's name says when or how pictures were taken, rather than what they show."""
    folded = fold(name)
    return folded in _CALENDAR or bool(_OCCASION.fullmatch(folded) or _DATE.fullmatch(folded))


def is_camera_prefix(text: str) -> bool:
    """Return whether the text before a picture's number is a camera's or a program's, and not a label."""
    return fold(text) in _CAMERA
