"""“Why?” in a real browser: below an answer of the form, and on a picture that is open large."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.datasets import COLOURS, coloured_pictures, make_zip
from tests.pictures import encode, make_jpeg

pytestmark = [pytest.mark.browser, pytest.mark.site]


@pytest.fixture(scope="module")
def slug(owner: Any) -> str:
    made = str(owner.ok("POST", "/projects", {"name": "Why"})["slug"])
    files = [("file", "a.zip", make_zip(coloured_pictures(20)))]
    owner.wait_job(owner.ok("POST", f"/projects/{made}/uploads", {"layout": "first"}, files)["job"])
    trained = owner.ok("POST", f"/projects/{made}/train", {"promote": True})["job"]
    owner.succeed(trained)
    return made


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Make a wide blue picture whose right half is red."""
    whole = Image.open(io.BytesIO(make_jpeg(7, size=(1200, 500), colour=COLOURS["blue"])))
    whole.paste(COLOURS["red"], (600, 0, 1200, 500))
    path = tmp_path / "half.png"
    path.write_bytes(encode(whole, "PNG"))
    return path


def ask_why(page: Any, slug: str, picture: Path) -> Any:
    """Classify the picture, ask why, and return the part that says so."""
    page.goto(f"/projects/{slug}/classify/")
    page.set_input_files("[data-pick]", picture)
    page.click(".answer button:has-text('Why?')")
    why = page.locator(".answer [data-why-part]")
    expect(why.locator("figure > img")).to_be_visible()
    return why


def test_answer_says_why_for_each_class_and_leads_to_pictures(signed_in: Any, slug: str, picture: Path) -> None:
    why = ask_why(signed_in, slug, picture)
    heading = why.locator("h3")
    first = heading.inner_text()
    expect(why.locator(".similar a")).to_have_count(5)
    why.locator("[data-why]").first.focus()
    signed_in.keyboard.press("Enter")
    expect(heading).not_to_have_text(first)
    expect(why).to_be_focused()  # the keyboard goes on from there
    assert signed_in.locator(".answer").count() == 1  # the answer itself stays
    why.locator(".similar a").first.click()
    expect(signed_in.locator("[data-viewer] .picture-view img")).to_be_visible()


def test_why_fits_on_a_phone(phone: Any, slug: str, picture: Path) -> None:
    ask_why(phone, slug, picture)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360


def test_large_picture_says_why(signed_in: Any, slug: str) -> None:
    page = signed_in
    page.goto(f"/projects/{slug}/pictures/")
    page.click("[data-opens] >> nth=0")
    page.click("[data-viewer] .says a:has-text('Why?')")
    why = page.locator("[data-viewer] [data-why-part]")
    first = why.locator("h3").inner_text()
    why.locator(".buttons a").first.click()
    expect(why.locator("h3")).not_to_have_text(first)
    picture, box = why.locator("figure > img").bounding_box(), page.locator("[data-viewer]").bounding_box()
    assert picture["x"] + picture["width"] <= box["x"] + box["width"]
