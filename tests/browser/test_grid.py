"""The grid in a real browser: choosing, acting, undoing, filtering, and looking at a picture large."""

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.datasets import coloured_pictures, make_zip

pytestmark = [pytest.mark.browser, pytest.mark.site]

CARDS = "[data-grid] .sample"


@pytest.fixture
def slug(owner: Any) -> str:
    """Make a project of three classes of eight pictures, and return its slug."""
    made: str = owner.ok("POST", "/projects", {"name": "Grid"})["slug"]
    archive = [("file", "a.zip", make_zip(coloured_pictures(8)))]
    owner.wait_job(owner.ok("POST", f"/projects/{made}/uploads", {"layout": "first"}, archive)["job"])
    return made


def count_of(owner: Any, slug: str, query: str = "") -> int:
    return len(owner.ok("GET", f"/projects/{slug}/samples{query}")["samples"])


def open_grid(page: Any, slug: str, query: str = "") -> Any:
    page.goto(f"/projects/{slug}/pictures/{query}")
    page.wait_for_load_state("networkidle")
    return page.locator(CARDS)


def test_range_moves_and_is_undone(signed_in: Any, owner: Any, slug: str) -> None:
    page, cards = signed_in, open_grid(signed_in, slug, "?sort=name&name=red")
    expect(cards).to_have_count(8)
    cards.nth(1).locator("label").click()
    cards.nth(4).locator("label").click(modifiers=["Shift"])
    expect(page.locator("[data-chosen]")).to_have_text("4 selected")
    cards.nth(2).locator("label").click()
    expect(page.locator("[data-chosen]")).to_have_text("3 selected")
    page.select_option("#to", label="green")
    page.click(".toolbar button:text-is('Move')")
    expect(page.locator(".toast")).to_contain_text("3 pictures moved to “green”.")
    assert count_of(owner, slug, "?name=red") == 8  # their names stay
    green = owner.ok("GET", f"/projects/{slug}")["classes"]
    assert {one["name"]: one["samples"] for one in green}["green"] == 11
    page.click(".toast >> text=Undo")
    expect(page.locator(".toast")).to_contain_text("Undone: 3 pictures moved")
    assert {one["samples"] for one in owner.ok("GET", f"/projects/{slug}")["classes"]} == {8}


def test_chosen_pictures_are_downloaded(signed_in: Any, slug: str, tmp_path: Path) -> None:
    page, cards = signed_in, open_grid(signed_in, slug, "?sort=name")
    for place in (0, 9):
        cards.nth(place).locator("label").click()
    with page.expect_download() as download:
        page.click(".toolbar button:text-is('Download')")
    download.value.save_as(tmp_path / "chosen.zip")
    with zipfile.ZipFile(tmp_path / "chosen.zip") as archive:
        assert sorted(archive.namelist()) == ["blue/0.jpg", "green/1.jpg", "manifest.csv"]


def test_cards_that_went_disappear_without_a_reload(signed_in: Any, owner: Any, slug: str) -> None:
    page, cards = signed_in, open_grid(signed_in, slug)
    page.evaluate("window.stayed = true")
    cards.nth(0).locator("label").click()
    cards.nth(3).locator("label").click()
    page.click(".toolbar button:text-is('Delete')")
    expect(cards).to_have_count(22)
    assert page.evaluate("window.stayed")
    assert count_of(owner, slug, "?deleted=true") == 2
    page.keyboard.press("Control+z")
    expect(cards).to_have_count(24)


def test_card_that_stays_tells_its_new_class_and_keeps_the_focus(signed_in: Any, owner: Any, slug: str) -> None:
    page, cards = signed_in, open_grid(signed_in, slug, "?sort=name")
    expect(cards.nth(1).locator(".caption")).to_contain_text("blue")
    cards.nth(1).locator("label").click()
    page.select_option("#to", label="green")
    page.click(".toolbar button:text-is('Move')")
    expect(cards.nth(1).locator(".caption")).to_contain_text("green")
    expect(cards.nth(1).locator("[name=sample]")).to_be_focused()
    cards.nth(1).locator("[data-opens]").click()
    page.click("[data-viewer] >> text=No class")
    expect(page.locator(".toast")).to_contain_text("taken out of their class")
    expect(cards.nth(1).locator(".caption")).to_have_text("1.jpg")


def test_each_of_two_ways_to_move_goes_where_it_says(signed_in: Any, owner: Any, slug: str) -> None:
    page, cards = signed_in, open_grid(signed_in, slug, "?name=red")
    cards.nth(1).locator("label").click()
    page.click("text=New class, split, group, tag")
    page.fill("[name=new]", "violet")
    page.click("text=Move there")
    expect(page.locator(".toast")).to_contain_text("1 picture moved to “violet”.")
    cards.nth(1).locator("label").click()
    page.click("text=New class, split, group, tag")
    page.fill("[name=new]", "never")
    page.select_option("#to", label="green")
    page.click(".toolbar button:text-is('Move')")  # beside the list, whatever stands in the field
    expect(page.locator(".toast")).to_contain_text("1 picture moved to “green”.")


def test_cards_of_another_split_or_tag_leave_the_filter(signed_in: Any, owner: Any, slug: str) -> None:
    page = signed_in
    ids = [one["id"] for one in owner.ok("GET", f"/projects/{slug}/samples?name=red")["samples"]]
    owner.ok("POST", f"/projects/{slug}/samples/tag", {"ids": ids, "tag": "sky"})
    owner.ok("POST", f"/projects/{slug}/samples/group", {"ids": ids[:2], "group": "clip"})
    owner.ok("POST", f"/projects/{slug}/samples/split", {"ids": ids, "split": "training"})
    cards = open_grid(page, slug, "?split=training")
    page.locator(f"#sample-{ids[0]} label").click()
    page.click("text=New class, split, group, tag")
    page.select_option("#split", "test")
    page.click("text=Put into this split")
    expect(cards).to_have_count(6)  # the other one of its group went with it
    cards = open_grid(page, slug, "?tag=sky")
    cards.nth(0).locator("label").click()
    page.click("text=New class, split, group, tag")
    page.fill(".toolbar [name=tag]", "sky")
    page.click("text=Take the tag off")
    expect(cards).to_have_count(7)


def test_key_that_comes_too_early_changes_nothing_twice(signed_in: Any, owner: Any, slug: str) -> None:
    page, cards = signed_in, open_grid(signed_in, slug, "?sort=name")
    cards.nth(0).locator("[data-opens]").click()
    viewer = page.locator("[data-viewer]")
    expect(viewer.locator("h2")).to_have_text("0.jpg")
    keys = {key.inner_text().split()[-1]: key.get_attribute("data-key") for key in viewer.locator("[data-key]").all()}
    page.evaluate(
        "keys => keys.forEach(key => document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true})))",
        [keys["red"], keys["green"]],
    )
    expect(viewer.locator("dl").first).to_contain_text("blue/1.jpg")
    (moved,) = owner.ok("GET", f"/projects/{slug}/samples?name=blue%2F0.jpg")["samples"]
    assert moved["class_name"] == "red"


def test_all_that_match_are_tagged(signed_in: Any, owner: Any, slug: str) -> None:
    page, cards = signed_in, open_grid(signed_in, slug)
    page.fill("#filter-name", "blue/")
    page.click(".filter >> text=Show")
    expect(cards).to_have_count(8)
    assert page.url.endswith("/pictures/?name=blue%2F")  # the filter, and nothing else
    cards.first.locator("label").click()
    page.click("text=Select all 8 that match")
    page.click("text=New class, split, group, tag")
    page.fill("[name=tag] >> nth=-1", "sky")
    page.click("text=Add the tag")
    expect(page.locator(".toast")).to_contain_text("8 pictures tagged “sky”.")
    assert count_of(owner, slug, "?tag=sky") == 8
    page.goto(f"/projects/{slug}/pictures/?tag=sky")
    expect(page.locator(".chips")).to_contain_text("tag “sky”")
    page.click(".chips a")
    expect(cards).to_have_count(24)


def test_pictures_are_dragged_onto_a_class(signed_in: Any, owner: Any, slug: str) -> None:
    page = signed_in
    classes = {one["name"]: one["id"] for one in owner.ok("GET", f"/projects/{slug}")["classes"]}
    cards = open_grid(page, slug, f"?class_id={classes['red']}")
    for place in (0, 1):
        cards.nth(place).locator("label").click()
    box = cards.nth(1).bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 80, steps=4)
    target = page.locator(f"[data-drop-on='{classes['blue']}']")
    expect(target).to_be_visible()
    place = target.bounding_box()
    page.mouse.move(place["x"] + 10, place["y"] + 10, steps=4)
    page.mouse.up()
    expect(page.locator(".toast")).to_contain_text("2 pictures moved to “blue”.")
    expect(cards).to_have_count(6)


def test_picture_is_walked_and_labelled_by_keys(signed_in: Any, owner: Any, slug: str) -> None:
    page, cards = signed_in, open_grid(signed_in, slug, "?sort=name")
    cards.nth(0).locator("[data-opens]").click()
    viewer = page.locator("[data-viewer]")
    expect(viewer.locator("h2")).to_have_text("0.jpg")
    expect(viewer.locator("dl").first).to_contain_text("blue/0.jpg")
    page.keyboard.press("ArrowRight")
    expect(viewer.locator("dl").first).to_contain_text("blue/1.jpg")
    page.keyboard.press("ArrowLeft")
    expect(viewer.locator("dl").first).to_contain_text("blue/0.jpg")
    keys = {key.inner_text().split()[-1]: key.get_attribute("data-key") for key in viewer.locator("[data-key]").all()}
    page.keyboard.press(keys["red"])
    expect(viewer.locator("dl").first).to_contain_text("blue/1.jpg")  # on to the next one
    (moved,) = owner.ok("GET", f"/projects/{slug}/samples?name=blue%2F0.jpg")["samples"]
    assert moved["class_name"] == "red"
    page.keyboard.press("Delete")
    expect(viewer.locator("dl").first).to_contain_text("blue/2.jpg")
    expect(cards).to_have_count(23)
    page.keyboard.press("Escape")
    expect(viewer).not_to_be_visible()


def test_picture_has_an_address_of_its_own(signed_in: Any, owner: Any, slug: str) -> None:
    page = signed_in
    first, second = owner.ok("GET", f"/projects/{slug}/samples?sort=name&size=2")["samples"]
    page.goto(f"/projects/{slug}/pictures/{first['id']}/?sort=name")
    page.wait_for_load_state("networkidle")
    expect(page.locator(".picture dl").first).to_contain_text(first["file"])
    page.keyboard.press("ArrowRight")
    expect(page.locator(".picture dl").first).to_contain_text(second["file"])
    assert re.search(rf"/pictures/{second['id']}/\?sort=name$", page.url)
    page.click(".labels button:has-text('green')")
    expect(page.locator(".labels [aria-pressed]")).to_contain_text("green")


def test_more_pictures_come_as_one_scrolls(signed_in: Any, owner: Any) -> None:
    slug = owner.ok("POST", "/projects", {"name": "Many"})["slug"]
    archive = [("file", "a.zip", make_zip(coloured_pictures(40)))]
    owner.wait_job(owner.ok("POST", f"/projects/{slug}/uploads", {"layout": "first"}, archive)["job"])
    cards = open_grid(signed_in, slug, "?sort=name")
    expect(cards).to_have_count(100)
    signed_in.keyboard.press("End")
    expect(cards).to_have_count(120)
    assert len({card.get_attribute("data-sample") for card in cards.all()}) == 120
