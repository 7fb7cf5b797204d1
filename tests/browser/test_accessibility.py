"""Test every kind of page with axe, as a desktop and as a phone, light and dark: WCAG 2.1 A and AA."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.axe import RULES, check
from tests.browser.conftest import sign_in
from tests.datasets import coloured_pictures, make_zip
from tests.pictures import make_jpeg
from tests.site import Site

PAGES = {
    "projects": "/",
    "a new project": "/projects/new",
    "project": "/projects/{slug}/",
    "class": "/projects/{slug}/classes/{class_id}/",
    "settings of a class": "/projects/{slug}/classes/{class_id}/settings",
    "uploads": "/projects/{slug}/uploads/",
    "an upload": "/projects/{slug}/uploads/{upload}/",
    "an upload that asks": "/projects/{slug}/uploads/{asking}/",
    "all pictures": "/projects/{slug}/pictures/?sort=name&name=jpg",
    "trash": "/projects/{slug}/pictures/?deleted=true",
    "a picture": "/projects/{slug}/pictures/{sample}/",
    "why a version says so": "/projects/{slug}/pictures/{sample}/why?version=1",
    "label": "/projects/{slug}/label/",
    "confirm suggestions": "/projects/{slug}/label/sure/",
    "history": "/projects/{slug}/history/",
    "what may be wrong": "/projects/{slug}/check/",
    "pictures that may be wrong": "/projects/{slug}/check/blank/",
    "classes that may be wrong": "/projects/{slug}/check/few_test/",
    "a map": "/projects/{slug}/map/",
    "train": "/projects/{slug}/train/",
    "jobs": "/projects/{slug}/jobs/",
    "a job": "/projects/{slug}/jobs/{job}/",
    "a reproduction": "/projects/{slug}/jobs/{reproduction}/",
    "all jobs": "/jobs/",
    "no jobs": "/jobs/?state=failed",
    "comparisons of settings": "/projects/{slug}/compare-settings/",
    "a comparison of settings": "/projects/{slug}/compare-settings/1/",
    "train again": "/projects/{slug}/train/?recipe=sgd&steps=300",
    "maintenance": "/maintenance/",
    "users": "/administration/users/",
    "a user": "/administration/users/1/",
    "a new user": "/administration/users/new",
    "before an account is deleted": "/administration/users/1/delete",
    "the disk": "/administration/disk/",
    "the audit log": "/administration/log/",
    "settings of the site": "/administration/settings/",
    "an account": "/account/",
    "before one's own account is deleted": "/account/delete",
    "a link that has been used": "/set-password/MQ/used",
    "a forgotten password": "/forgot-password",
    "turning on a second factor": "/account/second-factor/on",
    "turning off a second factor": "/account/second-factor/off",
    "a new passkey": "/account/passkeys/new",
    "new recovery codes": "/account/second-factor/codes",
    "notifications": "/account/notifications",
    "versions": "/projects/{slug}/versions/",
    "versions with curves": "/projects/{slug}/versions/?v=1&v=2&column=accuracy&column=settings&column=note",
    "two versions": "/projects/{slug}/versions/compare?v=1&v=2&show=fixed",
    "which two versions": "/projects/{slug}/versions/compare",
    "a version": "/projects/{slug}/versions/1/",
    "before a version goes live": "/projects/{slug}/versions/2/promote",
    "settings of a project": "/projects/{slug}/settings",
    "members": "/projects/{slug}/members/",
    "an invitation": "/invitations/{invitation}",
    "teams": "/account/teams",
    "links": "/projects/{slug}/share/",
    "a shared classifier": "/s/{shared}",
    "sending pictures": "/s/{sending}",
    "sent pictures": "/projects/{slug}/sent/",
    "before a project is deleted": "/projects/{slug}/delete",
    "before a version is deleted": "/projects/{slug}/versions/2/delete",
    "deleted things": "/trash/",
    "a report": "/projects/{slug}/versions/1/report",
    "an evaluation": "/projects/{slug}/versions/1/evaluation/?show=hits",
    "an evaluation on all pictures": "/projects/{slug}/versions/1/evaluation/?of=all&show=mistakes",
    "dataset versions": "/projects/{slug}/dataset-versions/",
    "a dataset version": "/projects/{slug}/dataset-versions/1/",
    "a comparison": "/projects/{slug}/dataset-versions/1/compare",
    "import a version": "/projects/{slug}/versions/import",
    "classify": "/projects/{slug}/classify/",
    "from this server": "/projects/{slug}/from-this-server",
    "networks": "/backbones/",
    "keys": "/account/keys",
    "password": "/account/password",
    "not found": "/projects/nowhere/",
}


@pytest.fixture(scope="module")
def places(owner: Any) -> dict[str, Any]:
    """Make a project with a version, an upload that waits for an answer, and pictures in all places."""
    slug = owner.ok("POST", "/projects", {"name": "For everybody"})["slug"]
    pictures = coloured_pictures(12) | {"4.jpg": make_jpeg(4)}
    sent = owner.ok("POST", f"/projects/{slug}/uploads", {"layout": "first"}, [("file", "a.zip", make_zip(pictures))])
    owner.wait_job(sent["job"])
    names = [f"{outer}/{inner}/1.jpg" for outer in ("cup", "jar") for inner in ("good", "bad")]
    doubtful = {name: make_jpeg(9 + place) for place, name in enumerate(names)}
    owner.ok("POST", f"/projects/{slug}/uploads", {}, [("file", "b.zip", make_zip(doubtful))])
    training = owner.wait_job(owner.ok("POST", f"/projects/{slug}/train", {"promote": True})["job"])
    owner.wait_job(owner.ok("POST", f"/projects/{slug}/train", {"seed": 1})["job"])
    again = owner.wait_job(owner.ok("POST", f"/projects/{slug}/versions/1/reproduce")["job"])
    assert again["result"]["identical"]
    owner.ok("POST", "/disk-usage/measure")
    owner.ok("PUT", "/banner", {"banner": "Lessons begin at ten"})
    hook = owner.ok("POST", "/webhooks", {"address": "https://poets.example.org/hook"})["id"]
    owner.ok("POST", f"/webhooks/{hook}/test")
    swept = owner.ok("POST", f"/projects/{slug}/sweeps", {"settings": {"recipe": ["auto", "sgd"]}, "force": True})
    for result in swept["results"]:
        owner.wait_job(result["job"]["id"])
    samples = owner.ok("GET", f"/projects/{slug}/samples?size=2")["samples"]
    owner.ok("POST", f"/projects/{slug}/samples/delete", {"ids": [samples[0]["id"]]})
    owner.ok("POST", f"/projects/{slug}/samples/unlabel", {"ids": [samples[1]["id"]]})
    owner.wait_job(owner.ok("POST", f"/projects/{slug}/audit")["job"])
    owner.ok("PATCH", f"/projects/{slug}/settings", {"up_to_date": True, "least_accuracy": 99})
    owner.ok("POST", "/teams", {"name": "Class 7b"})
    doomed = owner.ok("POST", "/projects", {"name": "Old"})["slug"]
    owner.call("DELETE", f"/projects/{doomed}")
    links = [owner.ok("POST", f"/projects/{slug}/share-links", {"kind": kind}) for kind in ("classify", "upload")]
    shared, sending = (link["address"].rsplit("/", 1)[1] for link in links)
    upload, asking = sorted(one["id"] for one in owner.ok("GET", f"/projects/{slug}/uploads"))
    return {
        "slug": slug,
        "class_id": owner.ok("GET", f"/projects/{slug}")["classes"][0]["id"],
        "sample": samples[1]["id"],
        "upload": upload,
        "invitation": owner.ok("POST", f"/projects/{slug}/invitations", {"role": "viewer"})["address"].rsplit("/", 1)[
            1
        ],
        "shared": shared,
        "sending": sending,
        "asking": asking,
        "job": training["number"],
        "reproduction": again["number"],
    }


@pytest.fixture(scope="module", params=["light", "dark"])
def opened(browser: Any, empty_site: Site, places: dict[str, Any], request: pytest.FixtureRequest) -> Iterator[Any]:
    context = browser.new_context(base_url=empty_site.address, color_scheme=request.param, reduced_motion="reduce")
    page = context.new_page()
    sign_in(page)
    yield page
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(name: str, opened: Any, places: dict[str, Any]) -> None:
    opened.goto(PAGES[name].format(**places))
    check(opened)


@pytest.mark.parametrize("name", ["class", "classify"])
def test_axe_finds_nothing_about_the_camera(name: str, opened: Any, places: dict[str, Any]) -> None:
    opened.goto(PAGES[name].format(**places))
    opened.click("button:has-text('Camera')")
    opened.wait_for_selector(".viewfinder-text:visible")  # there is none, and it is said what to do
    check(opened)


def test_axe_finds_nothing_in_a_large_picture(opened: Any, places: dict[str, Any]) -> None:
    opened.goto(PAGES["all pictures"].format(**places))
    opened.click("[data-opens] >> nth=0")
    opened.wait_for_selector("[data-viewer] .similar")
    check(opened)


@pytest.mark.expects_errors("422")
def test_axe_finds_nothing_before_somebody_has_signed_in(page: Any, places: dict[str, Any]) -> None:
    for path, field in (("/sign-in", "username"), ("/sign-up", "username"), ("/forgot-password", "email")):
        page.goto(path)
        check(page)
        if page.is_visible(f"[name={field}]"):
            page.eval_on_selector_all("main form", "forms => forms.forEach(form => form.noValidate = true)")
            page.click("main button.primary")
            page.wait_for_selector("[aria-invalid=true], .error")
            check(page)


def test_axe_would_find_something(opened: Any) -> None:
    opened.goto("/projects/new")
    opened.evaluate("document.querySelector('main label').remove()")
    opened.evaluate("Object.assign(document.querySelector('h1').style, {color: '#888', background: '#999'})")
    found = {violation["id"] for violation in Axe().run(opened, options=RULES).response["violations"]}
    assert {"label", "color-contrast"} <= found
