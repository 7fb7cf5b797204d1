"""A project that is always up to date, in a real browser: its figure comes by itself, and is kept by a press."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.datasets import coloured_pictures, make_zip

pytestmark = [pytest.mark.browser, pytest.mark.site]
SOON = 60_000  # milliseconds, on a machine that is busy with other tests


def send(owner: Any, slug: str, each: int, seed: int) -> None:
    files = make_zip(coloured_pictures(each, seed=seed))
    owner.succeed(owner.ok("POST", f"/projects/{slug}/uploads", {}, [("file", "colours.zip", files)])["job"])


def test_figure_comes_without_a_reload_and_is_kept_as_a_version(signed_in: Any, owner: Any) -> None:
    page = signed_in
    slug = str(owner.ok("POST", "/projects", {"name": "Up to date"})["slug"])
    owner.ok("PATCH", f"/projects/{slug}/settings", {"up_to_date": True})
    page.goto(f"/projects/{slug}/")
    candidate = page.locator(".candidate [role=status]")
    expect(candidate).not_to_contain_text("%")
    send(owner, slug, 8, 0)
    expect(candidate).to_contain_text(re.compile(r"\d %"), timeout=SOON)
    page.click(".candidate button:has-text('Keep it as a version')")
    page.wait_for_url("**/versions/1/")
    expect(page.locator("body")).to_contain_text("Kept as version 1.")
    page.goto(f"/projects/{slug}/")
    expect(candidate).to_contain_text("Version 1 knows all your labels")
    send(owner, slug, 4, 5000)
    expect(candidate).not_to_contain_text("Version 1 knows", timeout=SOON)
