"""Signing in as people do it: with a code of an app, and with a passkey of a device that the browser plays."""

import base64
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django_otp.oath import TOTP
from playwright.sync_api import expect

from tests.browser.axe import check
from tests.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.site]

PASSWORD, HOME = "correct-horse-9", "Teach a computer to tell pictures apart"
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def visitor(browser: Any, empty_site: Site, owner: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Open the page of somebody who has an account and is signed in, where browsers know passkeys: at a name."""
    name = request.node.name.split("[")[0]
    owner.ok("POST", "/users", {"username": name})
    link = owner.ok("POST", f"/users/{name}/password-link")["address"]
    context = browser.new_context(base_url=empty_site.address.replace("127.0.0.1", "localhost"))
    page = context.new_page()
    devices = context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    page.goto(link)
    for field in ("new_password1", "new_password2"):
        page.fill(f"[name={field}]", PASSWORD)
    page.click("main button")
    give_password(page, name)
    yield page
    context.close()


def give_password(page: Any, name: str) -> None:
    page.goto("/sign-in")
    page.fill("[name=username]", name)
    page.fill("[name=password]", PASSWORD)
    page.click("main button.primary")
    page.wait_for_url(lambda address: "/sign-in?" not in address and not address.endswith("/sign-in"))


def sign_out(page: Any) -> None:
    page.click("summary")
    page.click("text=Sign out")


def test_passkey(visitor: Any) -> None:
    visitor.goto("/account/")
    visitor.click("text=Add a passkey")
    visitor.fill("[name=name]", "My laptop")
    visitor.fill("[name=password]", PASSWORD)
    visitor.click("text=Add it")
    expect(visitor.locator("h1")).to_have_text("Your recovery codes")
    check(visitor)
    visitor.goto("/account/")
    expect(visitor.locator("main")).to_contain_text("My laptop")
    sign_out(visitor)
    give_password(visitor, "test_passkey")
    expect(visitor.locator("h1")).to_have_text("Your second factor")
    check(visitor)
    visitor.click("text=Use a passkey")
    expect(visitor.locator("h1")).to_have_text(HOME)


def test_code_of_an_app(visitor: Any) -> None:
    visitor.goto("/account/second-factor/on")
    visitor.fill("[name=password]", PASSWORD)
    visitor.click("text=Show the key")
    check(visitor)
    app = TOTP(base64.b32decode(visitor.inner_text("code.key").replace(" ", "")))
    app.time = time.time()
    visitor.fill("[name=code]", f"{app.token():06d}")
    visitor.click("text=Turn it on")
    code = visitor.inner_text("pre").split()[0]
    sign_out(visitor)
    give_password(visitor, "test_code_of_an_app")
    visitor.fill("[name=code]", code)
    visitor.click("main button:has-text('Sign in')")
    expect(visitor.locator("h1")).to_have_text(HOME)
