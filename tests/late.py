"""Tests that take long and rarely fail: CI runs them after everything else, for as long as there is time.

`POETSWEB_TESTS_UNTIL` is the time (seconds since 1970) after which no slow test is begun, late or not: so a machine
that is half as fast as others runs fewer tests and not out of time. Which ones come first changes from day to day, so
that all of them have their turn.
"""

import math
import os
import time

import pytest

UNTIL = float(os.environ.get("POETSWEB_TESTS_UNTIL", math.inf))
DAY = 24 * 3600
# What the names of these tests begin with. Each stands beside others of its kind that CI always runs.
LATE = (
    "tests/verification/",
    "tests/browser/test_accessibility.py::test_axe_finds_nothing[dark",
    "tests/browser/test_camera_live.py",
    *(
        f"tests/browser/test_camera.py::test_{name}"
        for name in ("camera_that_cannot", "everything", "no_more", "page_that")
    ),
    "tests/integration/test_cancelling.py",
    "tests/integration/test_downloaded_backbones.py",
    "tests/integration/test_downloads.py",
    *(
        f"tests/integration/test_exported_files.py::test_file_answers_elsewhere_as_the_site_does[{format}]"
        for format in ("tflite_float16", "tflite_int8", "saved_model", "keras", "frozen_graph", "tf_hub")
    ),
    "tests/integration/test_fine_tuning.py",
    "tests/integration/test_hub_load.py",
    "tests/integration/test_inference_servers.py",
    "tests/integration/test_model_import.py::test_backbone_from_a_tf_hub_address",
    "tests/integration/test_model_import.py::test_range_that_the_file_does_not_tell",
    "tests/integration/test_model_import.py::test_what_is_exported_can_be_imported_and_answers_the_same[frozen_graph]",
    "tests/integration/test_model_import.py::test_what_is_exported_can_be_imported_and_answers_the_same[saved_model]",
    "tests/integration/test_model_import.py::test_what_litert_cannot_run_is_answered_by_a_worker",
    "tests/integration/test_outages.py",
    "tests/integration/test_model_import.py::test_what_is_exported_can_be_imported_and_answers_the_same[tflite]",
    "tests/integration/test_power_cut.py",
    "tests/integration/test_read_only.py",
    "tests/integration/test_retrain_project.py",
    "tests/integration/test_rolling_upgrade.py",
    "tests/integration/test_serve.py::test_death_of_what_keeps_a_program_is_noticed[relay]",
    "tests/integration/test_serve.py::test_no_process_outlives_the_site[1]",
    "tests/integration/test_serve.py::test_two_copies_side_by_side",
    "tests/integration/test_slow_clients.py",
    # The part "services" runs the others on PostgreSQL, always.
    *(
        f"tests/unit/classifier/test_migrations.py::test_{name}"
        for name in ("backbones", "jobs", "keys", "measured", "moving", "pictures_move", "pictures_without")
    ),
    "tests/unit/classifier/test_openapi_fuzzing.py::test_call_keeps_to_its_description[get_",
    "tests/unit/classifier/test_openapi_fuzzing.py::test_call_keeps_to_its_description[list_",
    "tests/unit/ml/backbones/test_keras_applications.py::test_file_put_there_by_hand_is_used",
    *(
        f"tests/unit/ml/exports/test_exports_run.py::test_every_format_refuses_what_the_site_refuses[{format}-"
        for format in ("tflite_float16", "tflite_int8", "saved_model", "keras", "frozen_graph", "tf_hub", "onnx")
    ),
    "tests/unit/ml/exports/test_exports_run.py::test_every_format_refuses_what_the_site_refuses[tflite-likeness]",
    "tests/unit/ml/exports/test_exports_run.py::test_every_format_refuses_what_the_site_refuses[tflite-probabilities]",
    "tests/unit/ml/model_import/test_opening.py::test_classifier_of_keras_is_the_same_in_all_its_forms",
    "tests/unit/ml/model_import/test_opening.py::test_what_litert_cannot_run_runs_in_tensorflow",
    "tests/unit/ml/model_import/test_ranges.py::test_range_is_tried_with_networks_that_only_tensorflow_runs",
    "tests/unit/ml/model_import/test_ranges.py::test_teachable_machine_is_known_by_its_network",
    *(
        f"tests/unit/ml/training/fine_tuning/test_loop.py::test_checkpoint_that_is_none_begins_anew[{damage}]"
        for damage in ("cut", "text", "empty")
    ),
    "tests/unit/worker/test_cli_commands.py::test_graph_of_others",
    "tests/unit/worker/test_cli_commands.py::test_module_of_tf_hub",
)


def is_late(item: pytest.Item) -> bool:
    return item.nodeid.startswith(LATE)


# Tests that take so long, in seconds beside others, that they begin that much earlier or not at all.
LONG = {"tests/integration/test_rolling_upgrade.py": 200, "tests/integration/test_read_only.py": 40}


def skip_if_time_is_up(nodeid: str = "") -> None:
    """Skip a test that would begin too late."""
    if time.time() + LONG.get(nodeid.partition("::")[0], 0) > UNTIL:
        pytest.skip("There is no time left for this one today.")


def turn(files: list[str]) -> list[str]:
    """Return the slow files with another one first each day, where there may not be time for all."""
    if math.isinf(UNTIL) or not files:
        return files
    first = int(time.time() // DAY) % len(files)
    return files[first:] + files[:first]
