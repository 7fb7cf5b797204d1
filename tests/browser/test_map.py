"""The map of pictures in a real browser: choosing by drawing around points, and by keyboard."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.datasets import coloured_pictures, make_zip

pytestmark = [pytest.mark.browser, pytest.mark.site]

COUNT = 24


@pytest.fixture(scope="module")
def mapped(owner: Any) -> tuple[Any, str]:
    """Check the pictures of a project, and return its owner's client and its slug."""
    slug = owner.ok("POST", "/projects", {"name": "Map"})["slug"]
    archive = [("file", "a.zip", make_zip(coloured_pictures(COUNT // 3)))]
    owner.wait_job(owner.ok("POST", f"/projects/{slug}/uploads", {"layout": "first"}, archive)["job"])
    owner.wait_job(owner.ok("POST", f"/projects/{slug}/train", {"promote": True})["job"])
    owner.wait_job(owner.ok("POST", f"/projects/{slug}/audit")["job"])
    return owner, slug


def test_pictures_are_chosen_by_drawing_and_moved(signed_in: Any, mapped: tuple[Any, str]) -> None:
    page, (owner, slug) = signed_in, mapped
    page.set_viewport_size({"width": 1200, "height": 1600})  # the whole map, or no mouse could go around it
    page.goto(f"/projects/{slug}/map/")
    status = page.locator("[data-map-status]")
    expect(status).to_have_text(f"{COUNT} pictures.")
    expect(page.locator("[data-legend]")).to_contain_text("red (8)")
    box = page.locator("[data-canvas]").bounding_box()
    left, top = box["x"] + 6, box["y"] + 6  # its corners are round
    right, bottom = left + box["width"] - 12, top + box["height"] - 12
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom)):
        page.mouse.move(x, y, steps=5)
    page.mouse.up()
    expect(status).to_have_text(f"{COUNT} of {COUNT} pictures chosen.")
    expect(page.locator("[data-chosen-pictures] img")).to_have_count(COUNT)
    page.select_option("#to", label="green")
    page.click("button:text-is('Move')")
    expect(page.locator("main [role=status]").first).to_contain_text("16 pictures moved to “green”.")
    assert {one["name"]: one["samples"] for one in owner.ok("GET", f"/projects/{slug}")["classes"]}["green"] == COUNT
    page.click("main button:text-is('Undo')")
    expect(page.locator("main [role=status]").first).to_contain_text("Undone: 16 pictures moved")


def test_pictures_are_chosen_by_keyboard(signed_in: Any, mapped: tuple[Any, str]) -> None:
    page, (_, slug) = signed_in, mapped
    page.goto(f"/projects/{slug}/map/")
    status = page.locator("[data-map-status]")
    expect(status).to_have_text(f"{COUNT} pictures.")
    page.focus("[data-canvas]")
    for _ in range(12):
        page.keyboard.press("+")
    page.keyboard.press("Enter")
    expect(status).to_contain_text(f"of {COUNT} pictures chosen.")
    page.keyboard.press("Escape")
    expect(status).to_have_text(f"{COUNT} pictures.")
    expect(page.locator("button:text-is('Move')")).to_be_disabled()
