"""The whole path in a real browser: what the README's five steps promise."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.datasets import COLOURS, coloured_pictures, make_zip
from tests.pictures import make_jpeg

pytestmark = [pytest.mark.browser, pytest.mark.site]


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def new_project(page: Any, name: str) -> None:
    page.goto("/projects/new")
    page.fill("[name=name]", name)
    page.click("text=Create the project")
    page.wait_for_selector("[data-upload]")
    page.wait_for_load_state()  # the area is there before the scripts that listen to it


def bring_in(page: Any, area: str, path: Path) -> None:
    """Choose a folder or an archive, look at what was understood, and accept it."""
    page.set_input_files(area, path)
    page.click(".plan >> text=Bring them in")


def answers(page: Any, pictures: list[dict[str, Any]]) -> list[str]:
    page.set_input_files("[data-pick]", pictures)
    expect(page.locator(".answer h2")).to_have_count(len(pictures))
    return [text.strip() for text in page.locator(".answer h2").all_inner_texts()]


def test_from_first_visit_to_answer(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Colours")
    extra = {"LICENSE.txt": b"free", ".DS_Store": b"x", "red/broken.jpg": b"not a picture"}
    folder = write_folder(tmp_path / "colours", {**coloured_pictures(8), **extra})
    bring_in(page, "[data-pick-folder]", folder)
    page.wait_for_selector("[data-report]:visible")
    summary = page.inner_text("[data-summary]")
    assert summary.startswith("26 of 26 files")
    assert "24 stored" in summary
    assert "2 rejected" in summary
    page.wait_for_selector("text=3 classes, 24 pictures")
    page.wait_for_selector("#head button:has-text('Train')")  # the next step is there without a reload

    page.click("text=Report")
    assert "It is not a picture." in page.inner_text("table")
    assert ".DS_Store" not in page.inner_text("table")

    page.go_back()
    page.reload()
    page.click(".tabs >> text=Train")
    page.click("main button.primary:has-text('Train')")
    page.wait_for_selector(".job")
    job_address = page.url
    page.reload()  # the job goes on without us, and the page finds it again
    assert page.url == job_address
    page.wait_for_selector(".badge.succeeded", timeout=60_000)
    assert page.locator(".chart polyline").count() == 3

    red = {"name": "red.jpg", "mimeType": "image/jpeg", "buffer": make_jpeg(4242, colour=COLOURS["red"])}
    assert answers(page, [red]) == ["red"]  # the form came with the end of the training

    page.click("text=See the results")
    assert page.inner_text(".big") == "100.0 %"
    assert "3 test pictures" in page.inner_text(".headline")
    page.click("text=Mistakes, classes and charts")
    page.click(".matrix td.right a >> nth=0")
    page.wait_for_selector("#judged img")

    page.click(".tabs >> text=Classify")
    new = [
        {"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": make_jpeg(4242, colour=colour)}
        for name, colour in COLOURS.items()
    ]
    for picture in new:
        page.reload()
        assert answers(page, [picture]) == [picture["name"].removesuffix(".jpg")]
    page.reload()
    assert sorted(answers(page, new)) == ["blue", "green", "red"]
    assert page.locator(".answer img").count() == 3
    assert re.search(r"Version 1 · \d+ ms", page.inner_text(".answer >> nth=0"))


def test_archive_dropped_and_read_by_a_job(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "From an archive")
    archive = tmp_path / "colours.zip"
    archive.write_bytes(make_zip({f"top/{name}": data for name, data in coloured_pictures(5, seed=77).items()}))
    bring_in(page, "[data-pick-archive]", archive)
    page.wait_for_url("**/uploads/*/")
    page.wait_for_selector("text=Go to the project")
    page.wait_for_selector("text=15 stored, 0 already there, 0 rejected")
    page.wait_for_selector(".report")
    with page.expect_download() as download:
        page.click("text=Download the report (CSV)")
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0] == "file,class,status,reason"
    assert len(lines) == 16


def test_pictures_are_asked_for_their_class_and_shown_as_text(signed_in: Any) -> None:
    page = signed_in
    new_project(page, "Asked")
    name = "<img src=x onerror=alert(1)> & 苹果/“x”"
    page.set_input_files("[data-pick]", [{"name": "1.jpg", "mimeType": "image/jpeg", "buffer": make_jpeg(1)}])
    page.fill("#ask-class", name)
    page.click("[data-ask] >> text=Upload")
    page.wait_for_selector(".class-name")
    assert page.inner_text(".class-name") == name
    page.click(".class-name")
    page.wait_for_selector(".sample img")
    assert page.inner_text("h1").strip().startswith(name)


def drop(page: Any, where: str, files: dict[str, bytes]) -> None:
    """Drop files on an element, as a hand would from the desktop."""
    carried = [[name, base64.b64encode(data).decode()] for name, data in files.items()]
    transfer = page.evaluate_handle(
        """files => {
            const transfer = new DataTransfer();
            for (const [name, data] of files) {
                const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
                transfer.items.add(new File([bytes], name));
            }
            return transfer;
        }""",
        carried,
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event(where, event, {"dataTransfer": transfer})


def test_dropping_on_the_area_on_a_class_and_an_archive(signed_in: Any) -> None:
    page = signed_in
    new_project(page, "Dropped")
    address = page.url
    pictures = list(coloured_pictures(4, seed=1300, names=("red",)).values())
    drop(page, "[data-drop]", {"1.jpg": pictures[0]})
    page.fill("#ask-class", "red")
    page.click("[data-ask] >> text=Upload")
    page.wait_for_selector("text=1 class, 1 picture")
    drop(page, "[data-drop-class=red]", {"2.jpg": pictures[1], "3.jpg": pictures[2]})
    page.wait_for_selector("text=1 class, 3 pictures")
    page.click(".class-name")
    page.wait_for_selector("h1:has-text('red')")
    page.wait_for_load_state()
    drop(page, "[data-drop]", {"4.jpg": pictures[3], "again.jpg": pictures[0]})
    page.wait_for_selector("text=1 already there")
    page.wait_for_selector("h1:has-text('red')")
    page.goto(address)
    drop(page, "[data-drop]", {"more.zip": make_zip(coloured_pictures(2, seed=1400, names=("blue",)))})
    page.click(".plan >> text=Bring them in")
    page.wait_for_selector("text=2 stored, 0 already there, 0 rejected")


DOUBTFUL = ("x/good/1.jpg", "x/bad/2.jpg", "y/good/3.jpg", "y/bad/4.jpg")


def doubtful_files(seed: int) -> dict[str, bytes]:
    return {name: make_jpeg(seed + number, (8, 8)) for number, name in enumerate(DOUBTFUL)}


def test_folder_that_is_not_clear_is_asked_about(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Which folders")
    page.set_input_files("[data-pick-folder]", write_folder(tmp_path / "doubtful", doubtful_files(7000)))
    page.wait_for_selector("text=Are the classes the outer folders")
    page.wait_for_selector("text=0 pictures", state="detached")
    page.check("text=The class is the last (inner) folder")
    page.click("text=Bring them in")
    page.wait_for_selector("text=2 classes, 4 pictures")
    assert page.locator(".class-name").all_inner_texts() == ["bad", "good"]


def test_archive_that_is_not_clear_is_asked_about(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Which folders of an archive")
    archive = tmp_path / "doubtful.zip"
    archive.write_bytes(make_zip(doubtful_files(7100)))
    page.set_input_files("[data-pick-archive]", archive)
    page.wait_for_selector("text=Are the classes the outer folders")
    assert page.locator(".plan img").count() == 4
    page.click("text=Bring them in")
    page.wait_for_selector("text=Choose one answer to each question.")
    page.check("text=The class is the first (outer) folder")
    page.click("text=Bring them in")
    page.wait_for_selector("text=4 stored, 0 already there, 0 rejected")
    page.goto(page.url.split("/uploads/")[0])
    assert page.locator(".class-name").all_inner_texts() == ["x", "y"]


def test_splits_and_pictures_without_a_class_of_a_folder(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Published")
    names = ["train/cat/1.jpg", "train/dog/2.jpg", "test/3.jpg", "@eaDir/4.jpg"]
    files = {name: make_jpeg(7200 + number, (8, 8)) for number, name in enumerate(names)}
    bring_in(page, "[data-pick-folder]", write_folder(tmp_path / "published", files))
    page.wait_for_selector("text=2 classes, 2 pictures")
    page.click("a:has-text('1 picture without a')")
    page.click("[data-class]:has-text('cat'):enabled")
    page.wait_for_selector("text=That was the last one.")
    page.wait_for_load_state("networkidle")
    page.click(".crumb")
    page.wait_for_selector("text=2 classes, 3 pictures")


@pytest.mark.expects_errors(r"status of 500 .* /projects/.*/picture")
def test_failed_files_can_be_retried_and_cancelled_ones_too(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Retry")
    folder = write_folder(tmp_path / "retry", coloured_pictures(4, seed=300))
    page.route("**/picture", lambda route: route.fulfill(status=500, json={"error": "Something is out of order."}))
    bring_in(page, "[data-pick-folder]", folder)
    page.wait_for_selector("[data-retry]:visible")
    assert "12 failed" in page.inner_text("[data-summary]")
    assert "Something is out of order." in page.inner_text("[data-files]")
    page.unroute("**/picture")
    page.click("[data-retry]")
    page.wait_for_selector("text=3 classes, 12 pictures")
    assert "12 stored" in page.inner_text("[data-summary]")


def test_job_cancelled_from_its_page(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Cancel me")
    archive = tmp_path / "many.zip"
    archive.write_bytes(make_zip(coloured_pictures(300, seed=5000)))
    bring_in(page, "[data-pick-archive]", archive)
    page.wait_for_selector("text=Go to the project", timeout=60_000)
    page.wait_for_selector("text=900 stored", timeout=60_000)
    page.click(".tabs >> text=Train")
    page.click("main button.primary:has-text('Train')")
    page.click(".job button:has-text('Cancel')")
    page.wait_for_selector(".badge.cancelled", timeout=2_000)


def test_moving_deleting_and_restoring_pictures(signed_in: Any, tmp_path: Path) -> None:
    page = signed_in
    new_project(page, "Sorting")
    bring_in(page, "[data-pick-folder]", write_folder(tmp_path / "sorting", coloured_pictures(3, seed=600)))
    page.wait_for_selector("text=3 classes, 9 pictures")
    page.click(".class-name >> text=red")
    page.wait_for_selector("button:has-text('Move'):disabled")
    page.check("[name=sample] >> nth=0")
    page.select_option("#to", label="blue")
    page.click("button:has-text('Move')")
    page.wait_for_selector("text=1 picture moved to “blue”.")
    page.check("[name=sample] >> nth=0")
    page.click(".toolbar >> text=Delete")
    page.wait_for_selector("text=1 picture moved to the trash")
    page.click("text=All classes")
    page.click("text=Trash (1)")
    page.check("[name=sample] >> nth=0")
    page.click("button:has-text('Restore')")
    page.wait_for_selector("text=The trash is empty.")


def test_api_page_works_offline(signed_in: Any) -> None:
    signed_in.goto("/api/v1/docs")
    signed_in.wait_for_selector("[data-path='/api/v1/projects/{slug}/classify']")


def test_menu_and_forms_by_keyboard(signed_in: Any) -> None:
    page = signed_in
    page.goto("/projects/new")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.focus("[name=name]")
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('By keyboard')")
    unlabelled = page.evaluate(
        "[...document.querySelectorAll('input:not([type=hidden]), select')]"
        ".filter(one => !one.labels.length && !one.getAttribute('aria-label')).map(one => one.outerHTML)"
    )
    assert unlabelled == []


@pytest.mark.parametrize("width", [360, 1200])
def test_no_page_scrolls_sideways(width: int, signed_in: Any) -> None:
    page = signed_in
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/")
    project = page.get_attribute("a[href^='/projects/colours-']", "href")
    for address in (
        "/",
        "/projects/new",
        project,
        f"{project}train/",
        "/account/keys",
        f"{project}versions/",
        f"{project}versions/1/",
        f"{project}classify/",
    ):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address
