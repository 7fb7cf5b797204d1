"""Uploads that survive a lost connection, a reload and a sign-out, and folders that send only what is not there."""

import random
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD
from tests.browser.test_main_path import bring_in, new_project, write_folder
from tests.datasets import coloured_pictures, make_zip

pytestmark = [pytest.mark.browser, pytest.mark.site]

MB = 2**20
LOST_PART = r"net::ERR_FAILED /api/v1/projects/.*/resumable/"
LOST_PICTURE = r"net::ERR_FAILED /projects/.*/picture"


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


def sign_in_elsewhere(page: Any) -> None:
    """Follow the link of the upload to another tab, and sign in there."""
    with page.context.expect_page() as opened:
        page.click("text=Sign in again")
    other = opened.value
    other.fill("[name=username]", "ada")
    other.fill("[name=password]", PASSWORD)
    other.click("main button:has-text('Sign in')")
    other.wait_for_url("**/")


@pytest.mark.expects_errors(LOST_PART)
def test_archive_goes_on_after_a_reload(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Interrupted")
    archive = large_archive(tmp_path, 9000)
    page.route("**/resumable/*", lose_second_part)
    page.set_input_files("[data-pick-archive]", archive)
    page.wait_for_selector("text=The connection was lost. It is tried again in")
    expect(page.locator("[data-interrupted] li")).to_have_count(0)  # while it is being sent
    page.reload()
    page.wait_for_selector("text=photos.zip 8.0 MB of 18.0 MB have come, 10.0 MB are missing.")
    page.unroute("**/resumable/*")
    page.goto(page.url + "uploads/")
    page.wait_for_selector("text=photos.zip 8.0 MB of 18.0 MB have come")
    offsets: list[str] = []
    page.on("request", lambda one: offsets.append(one.headers["upload-offset"]) if one.method == "PATCH" else None)
    page.set_input_files(
        "[data-interrupted] input", write_folder(tmp_path, {"other/photos.zip": b"PK"}) / "other/photos.zip"
    )
    page.wait_for_selector("text=This is another file")
    page.set_input_files("[data-interrupted] input", archive)
    page.wait_for_url("**/uploads/*/")
    assert offsets == [str(8 * MB), str(16 * MB)]
    page.click(".plan >> text=Bring them in")
    page.wait_for_selector("text=6 stored, 0 already there")


@pytest.mark.expects_errors(LOST_PART, r"status of 40[13] .* /api/v1/projects/.*/resumable/")
def test_archive_goes_on_after_a_sign_out(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Signed out")
    page.route("**/resumable/*", lose_second_part)
    page.set_input_files("[data-pick-archive]", large_archive(tmp_path, 9100))
    page.wait_for_selector("text=It is tried again in")
    page.context.clear_cookies()
    page.unroute("**/resumable/*")
    page.wait_for_selector("text=You are signed out.")
    sign_in_elsewhere(page)
    page.wait_for_url("**/uploads/*/")


@pytest.mark.expects_errors(LOST_PART)
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
    bring_in(page, "[data-pick-folder]", folder)
    page.wait_for_selector("text=3 classes, 12 pictures")
    (folder / "red" / "new.jpg").write_bytes(next(iter(coloured_pictures(1, seed=9400).values())))
    page.reload()
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.url) if one.url.endswith("/picture") else None)
    bring_in(page, "[data-pick-folder]", folder)
    page.wait_for_selector("text=13 of 13 files")
    assert "12 already there" in page.inner_text("[data-summary]")
    page.wait_for_selector("text=3 classes, 13 pictures")
    assert len(sent) == 1


def lose_after(sent: int) -> Any:
    """Return what lets so many pictures through, and loses the connection for the others."""
    left = [sent]

    def handle(route: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            route.abort()
        else:
            route.continue_()

    return handle


@pytest.mark.expects_errors(LOST_PICTURE)
def test_folder_goes_on_by_itself_when_the_line_is_back(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Line")
    page.route("**/picture", lose_after(5))
    bring_in(page, "[data-pick-folder]", write_folder(tmp_path / "line", coloured_pictures(4, seed=9500)))
    page.wait_for_selector("text=The connection was lost. It is tried again in")
    page.unroute("**/picture")
    page.wait_for_selector("text=3 classes, 12 pictures")
    assert "12 stored" in page.inner_text("[data-summary]")
    assert page.is_hidden("[data-trouble]")


@pytest.mark.expects_errors(LOST_PICTURE, r"status of 40[13] .* /projects/.*/picture")
def test_folder_goes_on_after_a_sign_out(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Folder signed out")
    page.route("**/picture", lose_after(5))
    bring_in(page, "[data-pick-folder]", write_folder(tmp_path / "out", coloured_pictures(4, seed=9600)))
    page.wait_for_selector("text=The connection was lost.")
    page.context.clear_cookies()
    page.unroute("**/picture")
    page.wait_for_selector("text=You are signed out.")
    sign_in_elsewhere(page)
    page.wait_for_selector("text=3 classes, 12 pictures")
    assert "12 stored" in page.inner_text("[data-summary]")


@pytest.mark.expects_errors(r"status of 40[13] .* /projects/.*/uploads/plan")
def test_folder_chosen_while_signed_out(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Long ago")
    page.context.clear_cookies()
    page.set_input_files("[data-pick-folder]", write_folder(tmp_path / "ago", coloured_pictures(2, seed=9700)))
    page.wait_for_selector("text=You are signed out.")
    sign_in_elsewhere(page)
    page.click(".plan >> text=Bring them in")
    page.wait_for_selector("text=3 classes, 6 pictures")


@pytest.mark.expects_errors(LOST_PICTURE)
def test_interrupted_folder_goes_on_from_the_list_of_uploads(signed_in: Any, empty_site: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Listed")
    folder = write_folder(tmp_path / "listed", coloured_pictures(4, seed=9800))
    page.route("**/picture", lose_after(5))
    bring_in(page, "[data-pick-folder]", folder)
    page.wait_for_selector("text=The connection was lost.")
    page.goto(page.url + "uploads/")
    page.wait_for_selector("text=is being sent")
    assert page.locator("text=are missing").count() == 0
    page.unroute("**/picture")
    let_a_minute_pass(empty_site)
    page.reload()
    page.wait_for_selector("text=7 of 12 files are missing.")
    other = write_folder(tmp_path / "other", coloured_pictures(1, seed=9900))
    page.set_input_files("[data-source]", other)
    page.wait_for_selector("text=This is another folder.")
    page.set_input_files("[data-source]", folder)
    page.wait_for_selector("text=12 of 12 files")
    assert "7 stored · 5 already there" in page.inner_text("[data-summary]")
    page.wait_for_selector("text=are missing", state="detached")


def let_a_minute_pass(site: Any) -> None:
    shell = "from classifier.models import Upload; Upload.objects.update(heard_at='2020-01-01T00:00Z')"
    site.manage("shell", "-c", shell)


def test_ten_thousand_files_stay_few_rows(signed_in: Any) -> None:
    page = signed_in
    new_project(page, "Many")
    rows, summary = page.evaluate(
        """() => {
            const list = new UploadList(document.querySelector("[data-upload]"));
            list.begun = Date.now();
            list.take(Array.from({ length: 10000 }, (_, n) => ({ path: `red/${n}.jpg`, sent: 0 })));
            for (let n = 0; list.running(); n += 1) {
                const job = list.waiting.pop();
                list.enter(job, "sending");
                list.addRow(job);
                list.enter(job, ["failed", "rejected", "stored", "duplicate"][n % 4]);
                list.endRow(job);
                list.show();
            }
            return [list.part("files").children.length, list.part("summary").textContent];
        }"""
    )
    assert rows <= 200
    assert summary == "10000 of 10000 files · 2500 stored · 2500 already there · 2500 rejected · 2500 failed"
