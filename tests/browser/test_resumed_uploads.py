"""Uploads that survive a lost connection, a reload and a sign-out, and folders that send only what is not there."""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import PASSWORD
from tests.browser.test_main_path import new_project, write_folder
from tests.datasets import coloured_pictures, make_zip

pytestmark = [pytest.mark.browser, pytest.mark.site]

MB = 2**20


def large_archive(folder: Path, seed: int) -> Path:
    """Write an archive of three parts."""
    path = folder / "photos.zip"
    noise = random.Random(seed).randbytes(18 * MB)
    path.write_bytes(make_zip({**coloured_pictures(2, seed=seed), "red/LICENSE.bin": noise}))
    return path


def lose_second_part(route: Any) -> None:
    request = route.request
    if request.method == "PATCH" and request.headers["upload-offset"] != "0":
        route.abort()
    else:
        route.continue_()


def test_archive_goes_on_after_a_reload(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Interrupted")
    archive = large_archive(tmp_path, 9000)
    page.route("**/resumable/*", lose_second_part)
    page.set_input_files("[data-pick-archive]", archive)
    page.wait_for_selector("text=The connection was lost. It is tried again in")
    page.reload()
    page.wait_for_selector("text=photos.zip: 8.0 MB of 18.0 MB, choose the file again to go on")
    page.unroute("**/resumable/*")
    offsets: list[str] = []
    page.on("request", lambda one: offsets.append(one.headers["upload-offset"]) if one.method == "PATCH" else None)
    page.set_input_files(
        "[data-interrupted] input", write_folder(tmp_path, {"other/photos.zip": b"PK"}) / "other/photos.zip"
    )
    page.wait_for_selector("text=This is another file")
    page.set_input_files("[data-interrupted] input", archive)
    page.wait_for_url("**/uploads/*/")
    assert offsets == [str(8 * MB), str(16 * MB)]
    page.wait_for_selector("text=6 stored, 0 already there")


def test_archive_goes_on_after_a_sign_out(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Signed out")
    page.route("**/resumable/*", lose_second_part)
    page.set_input_files("[data-pick-archive]", large_archive(tmp_path, 9100))
    page.wait_for_selector("text=It is tried again in")
    page.context.clear_cookies()
    page.unroute("**/resumable/*")
    page.wait_for_selector("text=You are signed out.")
    with page.context.expect_page() as opened:
        page.click("text=Sign in again")
    other = opened.value
    other.fill("[name=username]", "ada")
    other.fill("[name=password]", PASSWORD)
    other.click("main button:has-text('Sign in')")
    page.wait_for_url("**/uploads/*/")


def test_interrupted_archive_can_be_discarded(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Discarded")
    page.route("**/resumable/*", lose_second_part)
    page.set_input_files("[data-pick-archive]", large_archive(tmp_path, 9200))
    page.wait_for_selector("text=The connection was lost.")
    page.click("[data-cancel]")
    page.wait_for_selector("text=Paused. Choose the same file again to go on.")
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("[data-interrupted] >> text=Discard")
    page.wait_for_selector("[data-interrupted] li", state="detached")


def test_folder_chosen_again_sends_only_what_is_not_there(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Again")
    folder = write_folder(tmp_path / "again", coloured_pictures(4, seed=9300))
    page.set_input_files("[data-pick-folder]", folder)
    page.wait_for_selector("text=3 classes, 12 pictures")
    (folder / "red" / "new.jpg").write_bytes(next(iter(coloured_pictures(1, seed=9400).values())))
    page.reload()
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.url) if one.url.endswith("/picture") else None)
    page.set_input_files("[data-pick-folder]", folder)
    page.wait_for_selector("text=13 of 13 files")
    assert "12 already there" in page.inner_text("[data-summary]")
    page.wait_for_selector("text=3 classes, 13 pictures")
    assert len(sent) == 1
