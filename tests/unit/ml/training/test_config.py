"""Test that untrusted values give a TrainConfig that survives JSON, or a sentence that names the field."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.training.config import ConfigError, TrainConfig, parse_config
from ml.training.recipes.registry import RECIPES

FIELDS = tuple(TrainConfig.model_fields)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([*RECIPES, "efficientnet_lite0", "testing", 0, 1, 1.0, 0.5, 45, 46])
    # More than a float holds, and more than Python writes out; drawn so that no strategy has to show them.
    | st.sampled_from([400, 5000]).map(lambda digits: 10**digits)
)
ANY_JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
KEYS = st.sampled_from(FIELDS) | st.text(max_size=10) | st.integers() | st.none()


def sane_configs() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"recipe": st.just("sgd")},
        optional={
            "backbone": st.sampled_from(["efficientnet_lite0", "testing"]),
            "seed": st.integers(0, 2**31 - 1),
            "validation_percentage": st.integers(1, 45),
            "testing_percentage": st.integers(1, 45),
            "steps": st.integers(1, 100_000),
            "learning_rate": st.floats(0, 100, exclude_min=True) | st.integers(1, 100),
            "batch_size": st.integers(1, 100_000),
            "random_crop": st.integers(0, 100),
            "random_scale": st.integers(0, 100),
            "random_brightness": st.integers(0, 100),
        },
    )


@given(st.dictionaries(KEYS, ANY_JSON, max_size=4))
def test_parse_config_wild_values_give_a_config_or_a_sentence(values: dict[Any, Any]) -> None:
    refused: ConfigError | None = None
    try:
        config = parse_config(values)
    except ConfigError as error:
        refused = error
    if refused is None:
        assert parse_config(json.loads(json.dumps(config.as_dict(), allow_nan=False))) == config
    else:
        assert isinstance(refused.field, str)
        assert str(refused).endswith(".")
        assert len(str(refused)) < 500


@given(sane_configs())
def test_parse_config_sane_values_survive_json(values: dict[str, Any]) -> None:
    config = parse_config(values)
    again = parse_config(json.loads(json.dumps(config.as_dict())))
    assert again == config
    assert {name: getattr(config, name) for name in values} == values


def test_parse_config_nothing_gives_the_defaults() -> None:
    assert parse_config({}) == TrainConfig()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", True),
        ("seed", 1.0),
        ("seed", -1),
        ("seed", 2**31),
        pytest.param("seed", [10**5000], id="seed-the same in a list"),
        pytest.param("seed", 10**5000, id="seed-more digits than Python writes out"),
        ("seed", "1"),
        ("steps", 0),
        ("steps", math.inf),
        ("batch_size", None),
        ("validation_percentage", 46),
        ("testing_percentage", 0),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("learning_rate", 0),
        ("learning_rate", -0.1),
        ("learning_rate", True),
        pytest.param("learning_rate", 10**400, id="learning_rate-more than a float holds"),
        ("learning_rate", "0.1"),
        ("backbone", ["testing"]),
        ("backbone", "inception"),
        ("recipe", None),
        ("flip_left_right", 1),
        ("flip_left_right", "true"),
        ("random_crop", 101),
        ("random_crop", -1),
        ("random_scale", 10.0),
        ("random_scale", True),
        ("random_brightness", "10"),
        ("random_brightness", None),
        ("augmented_copies", 0),
        ("augmented_copies", 17),
        ("augmented_copies", 5),  # of what?
        ("fine_tuning", "first"),
        ("fine_tuning", True),
        ("fine_tuning", None),
        ("fine_tuning_epochs", 0),
        ("fine_tuning_epochs", 101),
        ("fine_tuning_epochs", 5),  # of what?
        ("fine_tuning_rate", 0),
        ("fine_tuning_rate", 1.5),
        ("fine_tuning_rate", float("nan")),
        ("fine_tuning_rate", 0.01),
        ("stepz", 5),
    ],
)
def test_parse_config_bad_value_names_the_field(field: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"recipe": "sgd", field: value})
    assert caught.value.field == field
    assert field in str(caught.value)


def test_parse_config_long_values_are_cut() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"x" * 10**6: 1})
    assert len(str(caught.value)) < 500
    assert len(caught.value.field) == 100


@pytest.mark.parametrize(("field", "value"), [("steps", 1000), ("learning_rate", 0.5), ("batch_size", 10)])
def test_parse_config_auto_refuses_expert_settings(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match="sgd") as caught:
        parse_config({field: value})
    assert caught.value.field == field


@pytest.mark.parametrize("extent", ["last", "all"])
def test_parse_config_several_backbones_are_not_fine_tuned_together(extent: str) -> None:
    with pytest.raises(ConfigError, match="made of several") as caught:
        parse_config({"backbone": "best_quality", "fine_tuning": extent})
    assert caught.value.field == "fine_tuning"


def test_parse_config_hidden_backbone_is_not_offered() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"backbone": "x"})
    assert "efficientnet_lite0" in str(caught.value)
    assert "testing" not in str(caught.value)


def test_as_dict_whole_learning_rate_is_the_same_json() -> None:
    whole, point = (TrainConfig(recipe="sgd", learning_rate=rate) for rate in (1, 1.0))
    assert json.dumps(whole.as_dict()) == json.dumps(point.as_dict())


@pytest.mark.parametrize("recipe", RECIPES)
def test_parse_config_augmentation_goes_with_both_recipes(recipe: str) -> None:
    config = parse_config({"recipe": recipe, "flip_left_right": True, "random_crop": 10, "augmented_copies": 2})
    assert [(one.number, one.flip_left_right, one.random_crop) for one in config.augmentations] == [
        (1, True, 10),
        (2, True, 10),
    ]
    assert parse_config(json.loads(json.dumps(config.as_dict()))) == config


def test_mirror_image_alone_is_one_view() -> None:
    config = TrainConfig(flip_left_right=True, augmented_copies=8)
    assert (config.augmented_copies, len(config.augmentations)) == (1, 1)
    assert config == TrainConfig(flip_left_right=True)


def test_config_without_augmentation_is_stored_as_before_there_were_any() -> None:
    """Keep the old form, because otherwise versions that were trained then would not be found."""
    assert TrainConfig().augmentations == []
    assert TrainConfig(augmented_copies=4).as_dict() == {
        "backbone": "efficientnet_lite0",
        "recipe": "auto",
        "seed": 0,
        "validation_percentage": 10,
        "testing_percentage": 10,
        "steps": 500,
        "learning_rate": 0.01,
        "batch_size": 100,
    }


@pytest.mark.parametrize("recipe", RECIPES)
def test_parse_config_fine_tuning_goes_with_both_recipes(recipe: str) -> None:
    config = parse_config({"recipe": recipe, "fine_tuning": "last", "fine_tuning_rate": 1, "random_crop": 5})
    assert (config.fine_tuning_epochs, config.fine_tuning_rate, len(config.augmentations)) == (10, 1.0, 4)
    assert parse_config(json.loads(json.dumps(config.as_dict()))) == config
    assert config.as_dict() == TrainConfig(**config.as_dict()).as_dict()


def test_parse_config_custom_backbone_is_not_tuned() -> None:
    name = f"net_{20 * 'a'}"
    assert parse_config({"backbone": name}).backbone == name
    with pytest.raises(ConfigError, match="Only the backbones that PoetsWeb offers") as caught:
        parse_config({"backbone": name, "fine_tuning": "last"})
    assert caught.value.field == "fine_tuning"
