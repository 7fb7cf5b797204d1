"""Folders with more than pictures of classes: many files, and tables of what is on the web."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.test_main_path import bring_in, new_project, write_folder
from tests.datasets import coloured_pictures
from tests.pictures import make_jpeg

pytestmark = [pytest.mark.browser, pytest.mark.site]


def test_all_of_many_files_arrive_and_the_page_keeps_few_rows(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Many")
    names = (f"{label}/{number}.jpg" for number in range(100) for label in ("red", "green", "blue"))
    files = {name: make_jpeg(9000 + seed, size=(32, 32)) for seed, name in enumerate(names)}
    bring_in(page, "[data-pick-folder]", write_folder(tmp_path / "many", files))
    page.wait_for_selector("text=300 of 300 files · 300 stored", timeout=120_000)
    page.wait_for_selector("text=3 classes, 300 pictures")
    assert page.locator("[data-files] li").count() == 200


def test_folder_with_pictures_and_a_table_of_web_addresses(signed_in: Any, tmp_path: Path) -> None:
    """Press once: the pictures are sent, and the server fetches the others (here none, as it may not)."""
    page = signed_in
    new_project(page, "Both")
    pictures = coloured_pictures(2, seed=7100)
    rows = b"url,label\nhttp://127.0.0.1:9/web1.jpg,red\nhttp://127.0.0.1:9/web2.jpg,green\n"
    bring_in(page, "[data-pick-folder]", write_folder(tmp_path / "both", {**pictures, "web.csv": rows}))
    page.wait_for_selector("text=3 classes, 6 pictures")
    assert "6 stored" in page.inner_text("[data-summary]")
    assert "2 pictures named by a table are fetched from the web meanwhile." in page.inner_text("[data-fetched]")
    page.click("[data-fetched] >> text=Show how far that is")
    page.wait_for_selector("h1:has-text('both')")
    expect(page.locator("text=private network").first).to_be_visible(timeout=60_000)
