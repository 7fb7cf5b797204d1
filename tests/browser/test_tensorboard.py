"""TensorBoard as people open it: from the job's page, with what a browser lets a page of ours load."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.test_main_path import bring_in, new_project, write_folder
from tests.datasets import coloured_pictures

pytestmark = [
    pytest.mark.browser,
    pytest.mark.site,
    pytest.mark.skipif(
        importlib.util.find_spec("tensorboard") is None,
        reason="TensorBoard is not installed (make run EXTRAS=tensorboard)",
    ),
]


@pytest.mark.expects_errors(r"status of 404 .*\.woff2$")  # fonts that its package lacks
def test_curves_are_shown(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Watched")
    bring_in(page, "[data-pick-folder]", write_folder(tmp_path / "watched", coloured_pictures(8)))
    page.wait_for_selector("text=3 classes, 24 pictures")
    page.click(".tabs >> text=Train")
    page.click("main button.primary:has-text('Train')")
    page.click("text=Open TensorBoard", timeout=60_000)
    page.wait_for_url("**/tensorboard/**")
    expect(page.locator("text=accuracy_1").first).to_be_visible()
    expect(page.locator("text=penalty").first).to_be_visible()
    expect(page.locator("text=validation").first).to_be_visible()
