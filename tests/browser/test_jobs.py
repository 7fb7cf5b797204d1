"""Pages of jobs that keep up to date: what is shown, what is said aloud, and what the tab shows."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.datasets import coloured_pictures, make_zip

pytestmark = [pytest.mark.browser, pytest.mark.site]

LONG = {"recipe": "sgd", "steps": 100_000, "batch_size": 2000, "force": True}


@pytest.fixture(scope="module")
def slug(owner: Any) -> str:
    made = str(owner.ok("POST", "/projects", {"name": "Watched"})["slug"])
    archive = make_zip(coloured_pictures(12))
    sent = owner.ok("POST", f"/projects/{made}/uploads", {"layout": "first"}, [("file", "a.zip", archive)])
    owner.wait_job(sent["job"])
    owner.wait_job(owner.ok("POST", f"/projects/{made}/train", {"promote": True})["job"])
    return made


@pytest.fixture
def job(owner: Any, slug: str) -> Iterator[dict[str, Any]]:
    """Start a training that takes half a minute."""
    job.seed += 1  # type: ignore[attr-defined]
    started = owner.ok("POST", f"/projects/{slug}/train", {**LONG, "seed": job.seed})["job"]  # type: ignore[attr-defined]
    yield owner.ok("GET", f"/jobs/{started}")
    owner.call("POST", f"/jobs/{started}/cancel")


job.seed = 0  # type: ignore[attr-defined]


def test_page_shows_progress_in_its_figures_its_title_and_its_icon(
    signed_in: Any, slug: str, job: dict[str, Any]
) -> None:
    page = signed_in
    page.goto(f"/projects/{slug}/jobs/{job['number']}/")
    left = page.locator("[data-eta]")
    expect(left).to_contain_text("left", timeout=20_000)
    expect(page).to_have_title(re.compile(r"^\d+ % · Training"))
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("^data:image/png"))
    seen = set()
    for _ in range(8):
        seen.add(left.inner_text())
        page.wait_for_timeout(500)
    assert len(seen) >= 3, "it must not stand still for three seconds"


def test_stopped_training_shows_the_best_so_far_without_a_reload(
    signed_in: Any, slug: str, job: dict[str, Any]
) -> None:
    page = signed_in
    page.goto(f"/projects/{slug}/jobs/{job['number']}/")
    expect(page.get_by_text("Training the last layer", exact=True)).to_be_visible(timeout=20_000)
    page.click("text=Stop now, keep the best so far")
    expect(page.locator(".badge.succeeded")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("It was stopped before its end")).to_be_visible()
    expect(page.locator("[data-announcer]")).to_have_text("Training: done")
    expect(page).to_have_title(re.compile("^Done · Training"))


def test_stages_are_announced_once_each(signed_in: Any, owner: Any, slug: str, job: dict[str, Any]) -> None:
    page = signed_in
    page.goto(f"/projects/{slug}/jobs/{job['number']}/")
    page.evaluate(
        "window.heard = []; const region = document.querySelector('[data-announcer]');"
        "new MutationObserver(() => heard.push(region.textContent)).observe(region, {childList: true})"
    )
    expect(page.get_by_text("Training the last layer", exact=True)).to_be_visible(timeout=20_000)
    page.wait_for_timeout(3000)
    owner.ok("POST", f"/jobs/{job['id']}/cancel")
    expect(page.locator(".badge.cancelled")).to_be_visible(timeout=10_000)
    heard = page.evaluate("window.heard")
    assert heard[-1] == "Training: cancelled"
    assert len(heard) == len(set(heard)) <= 6
    expect(page).to_have_title(re.compile("^Cancelled · Training"))
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_list_keeps_up_to_date(signed_in: Any, owner: Any, job: dict[str, Any]) -> None:
    page = signed_in
    page.goto("/jobs/")
    row = page.locator(f"[data-job='{job['id']}']")
    expect(row.locator(".badge")).to_have_text("Running", timeout=20_000)
    owner.ok("POST", f"/jobs/{job['id']}/cancel")
    expect(row.locator(".badge")).to_have_text("Cancelled", timeout=10_000)


def test_notification_is_only_asked_for_by_the_button(signed_in: Any, slug: str, job: dict[str, Any]) -> None:
    page = signed_in
    page.add_init_script(
        "window.asked = 0; Notification.requestPermission = async () => { asked += 1; return 'granted'; };"
        "Object.defineProperty(Notification, 'permission', { get: () => 'default' });"
    )
    page.goto(f"/projects/{slug}/jobs/{job['number']}/")
    button = page.get_by_role("button", name="Tell me when it has ended")
    expect(button).to_be_visible()
    assert page.evaluate("window.asked") == 0
    button.click()
    expect(page.get_by_text("Your browser will tell you when it has ended.")).to_be_visible()
    assert page.evaluate("window.asked") == 1


def test_without_javascript_it_says_what_is_missing(
    signed_in: Any, browser: Any, empty_site: Any, slug: str, job: dict[str, Any]
) -> None:
    state = signed_in.context.storage_state()
    context = browser.new_context(base_url=empty_site.address, storage_state=state, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/projects/{slug}/jobs/{job['number']}/")
    assert "Without JavaScript this page does not change by itself" in page.inner_text("main")
    page.goto("/jobs/")
    assert "Without JavaScript this page does not change by itself" in page.inner_text("main")
    context.close()
