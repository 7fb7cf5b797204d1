"""Labelling in a real browser, by keyboard alone."""

import time
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.datasets import coloured_pictures, make_zip
from tests.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.site]

WAITING = 45  # more than the browser fetches at once


@pytest.fixture
def slug(owner: Any) -> str:
    """Train a project of three colours, and add pictures of these without a class."""
    made: str = owner.ok("POST", "/projects", {"name": "To label"})["slug"]
    for layout, pictures in (
        ("first", coloured_pictures(12)),
        ("unlabelled", coloured_pictures(WAITING // 3, seed=700)),
    ):
        archive = [("file", "a.zip", make_zip(pictures))]
        owner.wait_job(owner.ok("POST", f"/projects/{made}/uploads", {"layout": layout}, archive)["job"])
    owner.wait_job(owner.ok("POST", f"/projects/{made}/train", {"promote": True, "force": True})["job"])
    return made


def count_unlabelled(owner: Any, slug: str) -> int:
    return len(owner.ok("GET", f"/projects/{slug}/samples?unlabelled=true")["samples"])


def test_all_are_labelled_by_keyboard_without_waiting(signed_in: Any, owner: Any, slug: str, empty_site: Site) -> None:
    page = signed_in
    page.goto(f"/projects/{slug}/label/")
    current = page.locator("[data-current]")
    expect(current).to_be_visible()
    expect(page.locator(".suggested")).to_have_count(1, timeout=20_000)  # once a worker has looked at the pictures
    waits = []
    for _ in range(WAITING - 2):
        name = current.get_attribute("alt")
        expect(page.locator(".suggested")).to_have_count(1)
        begun = time.monotonic()
        page.keyboard.press("Enter")
        page.wait_for_function("name => document.querySelector('[data-current]').alt !== name", arg=name, polling=5)
        waits.append(time.monotonic() - begun)
    assert sorted(waits)[len(waits) // 2] < 0.25  # a picture is never waited for
    page.keyboard.press("1")
    page.keyboard.press("u")
    page.keyboard.press("Delete")
    page.keyboard.press("s")
    expect(page.locator("[data-empty]")).to_contain_text("That was the last one.")
    empty_site.wait(lambda: count_unlabelled(owner, slug) == 1, 20)
    labelled = owner.ok("GET", f"/projects/{slug}/samples?size=200")["samples"]
    right = [one["file"].split("/")[0] == one["class_name"] for one in labelled if one["class_name"]]
    assert sum(right) >= 0.95 * len(right)
    page.keyboard.press("u")  # the one that was skipped is back
    expect(current).to_be_visible()


def test_class_is_found_by_typing(signed_in: Any, owner: Any, slug: str) -> None:
    page = signed_in
    page.goto(f"/projects/{slug}/label/?order=newest")
    current = page.locator("[data-current]")
    expect(current).to_be_visible()
    name = current.get_attribute("alt")
    page.keyboard.press("/")
    page.keyboard.type("gre")
    expect(page.locator("[data-class]:visible")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("[data-said]")).to_have_text(f"{name}: green")
    expect(page.locator("[data-class]:visible")).to_have_count(3)


@pytest.mark.expects_errors(r"Failed to load resource.*/samples/label")
def test_label_that_was_lost_comes_again_after_the_picture_that_is_shown(signed_in: Any, owner: Any, slug: str) -> None:
    page = signed_in
    page.goto(f"/projects/{slug}/label/?order=newest")
    current, said = page.locator("[data-current]"), page.locator("[data-said]")
    expect(current).to_be_visible()
    lost = current.get_attribute("alt")
    page.route("**/samples/label", lambda route: route.abort())
    page.keyboard.press("1")
    shown = current.get_attribute("alt")
    expect(said).to_have_text(f"The site cannot be reached. {lost} comes again.")
    assert current.get_attribute("alt") == shown != lost
    expect(page.locator("[data-left]")).to_have_text(str(WAITING))
    page.unroute("**/samples/label")
    page.keyboard.press("2")
    expect(current).to_have_attribute("alt", lost)
