"""The page of an evaluation in a real browser: the slider, the squares, the cards, and files of charts."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.datasets import coloured_pictures, make_zip
from tests.pictures import make_jpeg

pytestmark = [pytest.mark.browser, pytest.mark.site]

NAMES = tuple(f"kind {number:02}" for number in range(26))  # one more than a table of numbers shows


def train(owner: Any, name: str, files: dict[str, bytes]) -> str:
    slug = str(owner.ok("POST", "/projects", {"name": name})["slug"])
    sent = owner.ok("POST", f"/projects/{slug}/uploads", {"layout": "first"}, [("file", "a.zip", make_zip(files))])
    owner.wait_job(sent["job"])
    owner.succeed(owner.ok("POST", f"/projects/{slug}/train", {})["job"])
    return slug


@pytest.fixture(scope="module")
def confused(owner: Any) -> str:
    """Train with three red pictures among the green ones, so that there are mistakes."""
    files = coloured_pictures(20)
    files |= {f"green/wrong {number}.jpg": make_jpeg(900 + number, colour=(200, 40, 40)) for number in range(12)}
    return train(owner, "Confused", files)


@pytest.fixture(scope="module")
def many(owner: Any) -> str:
    files = {f"{name}/{n}.jpg": make_jpeg(50 * place + n) for place, name in enumerate(NAMES) for n in range(4)}
    return train(owner, "Many kinds", files)


def test_slider_says_what_a_threshold_does(signed_in: Any, confused: str) -> None:
    page = signed_in
    page.goto(f"/projects/{confused}/versions/1/evaluation/")
    called = page.locator("[data-called]")
    page.locator("[data-threshold]").fill("0")
    everything = int(called.inner_text())
    assert page.locator("[data-recall]").inner_text().startswith("100.0 %")
    page.locator("[data-threshold]").fill("100")
    assert int(called.inner_text()) < everything
    assert page.locator("[data-threshold-shown]").inner_text() == "100 %"


def test_mistakes_can_be_mended_where_they_are_shown(signed_in: Any, confused: str) -> None:
    page = signed_in
    page.goto(f"/projects/{confused}/versions/1/evaluation/")
    page.click("#matrix td.off a >> nth=0")
    expect(page.locator("#judged .sample").first).to_be_visible()
    before = page.locator("#judged .sample").count()
    page.click("#judged [data-opens] >> nth=0")
    page.wait_for_selector("[data-viewer] .picture-view img")
    page.click("[data-close]")
    page.check("#judged [name=sample] >> nth=0", force=True)
    page.click("#judged button:has-text('Delete')")
    page.wait_for_selector(".toast:has-text('Undo')")
    if before > 1:
        expect(page.locator("#judged .sample")).to_have_count(before - 1)
    page.click(".toast button")
    page.wait_for_selector(".toast")


def test_square_of_many_classes_opens_its_pictures(signed_in: Any, many: str) -> None:
    page = signed_in
    page.goto(f"/projects/{many}/versions/1/evaluation/?order=trained")
    heat = page.locator("[data-heat]")
    expect(heat).to_be_visible()
    heat.scroll_into_view_if_needed()
    cells = page.evaluate("Object.keys(JSON.parse(document.getElementById('heat-data').textContent).counts)")
    row, column = (int(part) for part in cells[0].split(","))
    box, size = heat.bounding_box(), len(NAMES)
    assert box["width"] == pytest.approx(box["height"], abs=1)  # else the squares are not where they are looked for
    at = {"x": (column + 0.5) * box["width"] / size, "y": (row + 0.5) * box["height"] / size}
    heat.hover(position=at)
    expect(page.locator("[data-heat-words]")).to_contain_text(f"{NAMES[row]} taken for {NAMES[column]}: ")
    heat.click(position=at)
    expect(page.locator("#judged .sample").first).to_be_visible()


def test_chart_is_saved_as_a_picture(signed_in: Any, confused: str) -> None:
    page = signed_in
    page.goto(f"/projects/{confused}/versions/1/evaluation/")
    page.click("[data-plot=reliability] summary")
    with page.expect_download() as saving:
        page.click("[data-plot=reliability] [data-png]")
    assert saving.value.suggested_filename == "reliability.png"
    assert saving.value.path().read_bytes().startswith(b"\x89PNG")


def test_make_live_is_in_reach_on_a_phone(phone: Any, owner: Any, confused: str) -> None:
    owner.wait_job(owner.ok("POST", f"/projects/{confused}/train", {"seed": 1})["job"])
    phone.goto(f"/projects/{confused}/versions/")
    button = phone.locator("a:has-text('Make live')").first
    box = button.bounding_box()
    assert box["x"] + box["width"] <= 360
    button.click()
    phone.click("button:has-text('live')")  # after what it would change for the worse
    expect(phone.locator(".note.success")).to_contain_text("is now live")


def test_page_says_all_without_a_script(browser: Any, signed_in: Any, empty_site: Any, confused: str) -> None:
    state = signed_in.context.storage_state()
    context = browser.new_context(base_url=empty_site.address, storage_state=state, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/projects/{confused}/versions/1/evaluation/")
    page.click("text=Least confident hits")
    assert page.locator("#judged .sample").count() > 0
    page.select_option("[name=class]", index=1)
    page.click("#threshold button:has-text('Show')")
    assert "threshold=50" in page.url
    context.close()
