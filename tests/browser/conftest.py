"""The system's Chromium, driven by Playwright, signed in to the running site."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.site import Site

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Without these a browser that has no network keeps looking for it.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
ARGUMENTS.append(
    "--use-fake-device-for-media-stream=device-count=2"
)  # two cameras, which a test must be allowed to use
PASSWORD = "correct-horse-9"


def find_browser() -> str:
    found = os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), "")
    if not found:
        how = "No Chromium was found. Install it (apt install chromium), or set CHROMIUM to the path of one."
        if os.environ.get("POETSWEB_REQUIRE_BROWSER"):
            pytest.fail(how)
        pytest.skip(how)
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = find_browser()
    # Playwright keeps an event loop in this thread, and Django would refuse its database to the tests that follow.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def empty_site(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Iterator[Site]:
    """Start a site that nobody has visited yet."""
    running = Site(tmp_path_factory.mktemp("browser") / "data", prepared=prepared).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def owner(browser: Any, empty_site: Site) -> Any:
    """Return a client of the API for the administrator, whom the first visit of a browser creates."""
    context = browser.new_context(base_url=empty_site.address)
    sign_in(context.new_page())
    context.close()
    return empty_site.client("ada")


@pytest.fixture
def page(browser: Any, empty_site: Site, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Open a page of the site; a test fails if the page reports an error of its own.

    Answers with an error and lost connections are such, too. A test that brings them about on purpose is marked with
    `expects_errors`, and with a pattern for each, of which at least one line must be reported.
    """
    context = browser.new_context(base_url=empty_site.address, viewport={"width": 1200, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    troubles: list[str] = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("console", lambda message: troubles.append(_describe(message)) if message.type == "error" else None)
    yield opened
    context.close()
    marker = request.node.get_closest_marker("expects_errors")
    expected = marker.args if marker else ()
    assert [line for line in troubles if not any(re.search(pattern, line) for pattern in expected)] == []
    assert [pattern for pattern in expected if not any(re.search(pattern, line) for line in troubles)] == []


def _describe(message: Any) -> str:
    """Return the line of the console, with the address that it is about."""
    return f"{message.text} {urlsplit(message.location['url']).path}"


@pytest.fixture
def signed_in(page: Any) -> Any:
    """Return the page, signed in as the administrator."""
    return sign_in(page)


def sign_in(page: Any) -> Any:
    """Sign in as the administrator, whom the first visit creates."""
    page.goto("/")
    if page.url.endswith("/set-up"):
        page.fill("[name=username]", "ada")
        page.fill("[name=password1]", PASSWORD)
        page.fill("[name=password2]", PASSWORD)
        page.click("text=Create the administrator")
    elif "/sign-in" in page.url:
        page.fill("[name=username]", "ada")
        page.fill("[name=password]", PASSWORD)
        page.click("main button:has-text('Sign in')")
    page.wait_for_url("**/")
    return page


@pytest.fixture
def phone(signed_in: Any, browser: Any, empty_site: Site) -> Iterator[Any]:
    """Open a page on a phone, signed in."""
    state = signed_in.context.storage_state()
    screen = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
    context = browser.new_context(base_url=empty_site.address, storage_state=state, **screen)
    yield context.new_page()
    context.close()
