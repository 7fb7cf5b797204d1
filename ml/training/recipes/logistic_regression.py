"""Implement the recipe “auto”: L2-regularised multinomial logistic regression with a penalty chosen on unseen pictures.

Where the validation pictures are too few to tell, the penalty is chosen by cross-validation over training and
validation, and all of them are trained on. Where that cannot be either, as all pictures of a class belong together, and
there are no validation pictures at all, it is a moderate one.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml.training.cross_validation import deal_folds, thin_out
from ml.training.head import (
    Fitted,
    Floats,
    Head,
    Ints,
    LabelledFeatures,
    OutOfSample,
    Report,
    StepCallback,
    balanced_loss,
    judge_validation,
    measure_point,
)
from ml.training.recipes.recipe import Recipe, RecipeSettings
from ml.training.softmax_regression import Flat, SoftmaxRegression, Watch

# From hardly more than the class means to practically unregularised, in steps of about a factor of three.
PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
UNJUDGED_PENALTY = 0.1  # where there is nothing to choose it by
PATIENCE = 2  # weaker penalties to try after the validation loss began to rise
# Independent validation pictures; a hundred hold five mistakes, which tell little of a penalty, or of a temperature.
ENOUGH_TO_CHOOSE = 150
LEAST_FOLDS = 2  # to choose a penalty by; with fewer groups of a class the validation pictures have to do


@dataclass(frozen=True)
class _Tried:
    """What came of a penalty: the head, its loss in training, and the logits (N, C) of pictures it was judged by."""

    penalty: float
    head: Head
    training_loss: float
    logits: Floats


class _Search(Protocol):
    """A way to judge penalties, which are tried from strong to weak, each from the last solution."""

    labels: Ints  # of the pictures that judge

    def try_penalty(self, penalty: float, watch: Watch) -> _Tried: ...

    def validated(self, tried: _Tried) -> tuple[float, float] | None: ...

    def conclude(self, best: _Tried) -> Fitted: ...


def train_auto(
    training: LabelledFeatures,
    validation: LabelledFeatures,
    classes: int,
    settings: RecipeSettings,
    report: Report,
    callback: StepCallback,
    *,
    keep_validation: bool = False,
) -> Fitted:
    """Fit heads along a path of falling penalties, and return the one with the least loss on unseen pictures.

    All classes weigh the same, however many pictures they have. The path ends when weaker penalties only make it
    worse. Nothing is random, so the seed has no effect.
    """
    search = _choose_search(training, validation, classes, keep_validation)
    if search is None:
        return _train_unjudged(training, validation, classes, report, callback)
    best, least, since_best, step = None, np.inf, 0, 0
    for step, penalty in enumerate(PENALTIES, 1):

        def watch(_: Flat, step: int = step) -> None:
            report("head", (step - 0.5) / len(PENALTIES))

        tried = search.try_penalty(penalty, watch)
        _tell(step, tried, search, report, callback)
        loss = balanced_loss(tried.logits, search.labels)
        since_best = 0 if loss < least else since_best + 1
        if loss < least:
            best, least = tried, loss
        if since_best >= PATIENCE:
            break
    chosen = best or tried  # numbers that are not finite are never less
    _tell(step + 1, chosen, search, report, callback, is_last=True)  # which may be an earlier one
    return search.conclude(chosen)


def _tell(
    step: int, tried: _Tried, search: _Search, report: Report, callback: StepCallback, *, is_last: bool = False
) -> None:
    fraction = 1.0 if is_last else step / len(PENALTIES)
    report("head", fraction, **measure_point(step, tried.training_loss, tried.logits, search.labels))
    callback(step, tried.head, is_last=is_last, validated=search.validated(tried), penalty=tried.penalty)


def _choose_search(
    training: LabelledFeatures, validation: LabelledFeatures, classes: int, keep_validation: bool
) -> _Search | None:
    """Return how penalties are judged; None where nothing can."""
    groups = validation.groups or [str(place) for place in range(len(validation.labels))]
    if not keep_validation and len(set(groups)) < ENOUGH_TO_CHOOSE:
        pool = _Pool.of(training, validation)
        folds = deal_folds(pool.labels[pool.kept], [pool.groups[place] for place in pool.kept], LEAST_FOLDS)
        if folds is not None:
            return _CrossValidation(pool, folds, classes)
    return _HeldOut(training, validation, classes) if len(validation.labels) else None


def _train_unjudged(
    training: LabelledFeatures, validation: LabelledFeatures, classes: int, report: Report, callback: StepCallback
) -> Fitted:
    """Fit one head. There is no curve to report, as nothing tells how good it is."""
    path = _Path(SoftmaxRegression(training.features, training.labels, classes))
    head, _ = path.follow(UNJUDGED_PENALTY, lambda _: report("head", 0.5))
    report("head", 1.0)
    callback(1, head, is_last=True, penalty=UNJUDGED_PENALTY)
    return judge_validation(head, validation)


@dataclass
class _HeldOut:
    """Judge by the validation pictures, which no head has seen."""

    training: LabelledFeatures
    validation: LabelledFeatures
    classes: int

    def __post_init__(self) -> None:
        self.labels = self.validation.labels
        self._path = _Path(SoftmaxRegression(self.training.features, self.training.labels, self.classes))

    def try_penalty(self, penalty: float, watch: Watch) -> _Tried:
        head, loss = self._path.follow(penalty, watch)
        return _Tried(penalty, head, loss, head.logits(self.validation.features))

    def validated(self, tried: _Tried) -> None:
        return None  # whoever wants to know can measure the head itself

    def conclude(self, best: _Tried) -> Fitted:
        return judge_validation(best.head, self.validation)


class _Path:
    """The way of one problem through the penalties."""

    def __init__(self, problem: SoftmaxRegression) -> None:
        self._problem, self._at = problem, problem.start()

    def follow(self, penalty: float, watch: Watch) -> tuple[Head, float]:
        """Return the next head, and its loss on the pictures it was made from."""
        self._at = self._problem.minimise(penalty, self._at, watch)
        return self._problem.head(self._at), self._problem.loss(self._at)


@dataclass(frozen=True)
class _Pool:
    """The pictures of training and validation together.

    Attributes:
        features: float32 (N, F), with augmented copies.
        labels, groups: of the P pictures without copies.
        origin: the picture that each row shows, (N,).
        kept: the pictures that are enough to choose by.
    """

    features: Floats
    labels: Ints
    groups: list[str]
    origin: Ints
    kept: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def of(cls, training: LabelledFeatures, validation: LabelledFeatures) -> "_Pool":
        first, more = training.pictures, validation.pictures
        groups = _groups_of(training, "training") + _groups_of(validation, "validation")
        origin = np.concatenate([np.arange(len(training.labels)) % max(first, 1), first + np.arange(more)])
        features = np.concatenate([training.features, validation.features])
        labels = np.concatenate([training.labels[:first], validation.labels])
        return cls(features, labels, groups, origin, thin_out(groups))

    def rows_of(self, pictures: NDArray[np.bool_]) -> Ints:
        """Return the rows of some of the pictures, (P,), with their copies."""
        return np.flatnonzero(pictures[self.origin])


def _groups_of(split: LabelledFeatures, name: str) -> list[str]:
    if split.groups is None:
        return [f"{name} {place}" for place in range(split.pictures)]
    return list(split.groups)


class _CrossValidation:
    """Judge each picture by a head that was made without its fold, and make the head from all pictures."""

    def __init__(self, pool: _Pool, folds: Ints, classes: int) -> None:
        self._pool, self._classes = pool, classes
        self.labels = pool.labels[pool.kept]
        fold_of = np.full(len(pool.labels), -1)
        fold_of[pool.kept] = folds
        plain = np.unique(pool.origin, return_index=True)[1]  # the first row of a picture is the picture itself
        self._judged = [np.flatnonzero(folds == fold) for fold in range(int(folds.max()) + 1)]
        self._plain = plain[pool.kept]
        self._paths = [
            self._path_of(pool.rows_of((fold_of >= 0) & (fold_of != fold))) for fold in range(len(self._judged))
        ]
        self._whole = self._path_of(np.arange(len(pool.features)))

    def _path_of(self, rows: Ints) -> _Path:
        labels = self._pool.labels[self._pool.origin[rows]]
        return _Path(SoftmaxRegression(self._pool.features[rows], labels, self._classes))

    def try_penalty(self, penalty: float, watch: Watch) -> _Tried:
        logits = np.empty((len(self.labels), self._classes), np.float32)
        for path, judged in zip(self._paths, self._judged, strict=True):
            head, _ = path.follow(penalty, watch)
            logits[judged] = head.logits(self._pool.features[self._plain[judged]])
        head, loss = self._whole.follow(penalty, watch)
        return _Tried(penalty, head, loss, logits)

    def validated(self, tried: _Tried) -> tuple[float, float]:
        losses = tried.logits - tried.logits.max(axis=1, keepdims=True)
        entropy = np.log(np.exp(losses).sum(axis=1)) - losses[np.arange(len(losses)), self.labels]
        return float(np.mean(tried.logits.argmax(axis=1) == self.labels)), float(entropy.mean())

    def conclude(self, best: _Tried) -> Fitted:
        return Fitted(best.head, OutOfSample(best.logits, self.labels, len(self._paths)))


RECIPE = Recipe(
    name="auto",
    title="Automatic",
    help="Stops by itself, gives small classes more weight, and chooses its regularisation on unseen pictures.",
    # 2: chooses by cross-validation where the validation pictures are few, and then learns from all
    # 3: fewer than 150 are few, as fewer than 50 were
    version=3,
    train=train_auto,
    has_even_steps=False,  # weaker penalties take longer, and the last are often not tried at all
)
