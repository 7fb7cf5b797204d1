"""Classifying what the camera sees. The made-up camera shows green."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.test_camera import ELSEWHERE, hide, keep_track
from tests.browser.test_main_path import bring_in, new_project, write_folder
from tests.datasets import coloured_pictures
from tests.pictures import make_jpeg

pytestmark = [pytest.mark.browser, pytest.mark.site]

CALL = "**/api/v1/projects/*/classify"
TOP, FACTS, ROWS = "[data-live=top]", "[data-live=facts]", "[data-live-row]"
REFUSED = r"status of \d+ .*/classify$"
trained: dict[str, str] = {}  # the project's address, once it has a version


@pytest.fixture
def live(signed_in: Any, tmp_path: Path) -> Any:
    """Return the page where a trained project classifies; it may use the camera."""
    page = signed_in
    if not trained:
        new_project(page, "Live")
        trained["address"] = page.url
        bring_in(page, "[data-pick-folder]", write_folder(tmp_path / "live", coloured_pictures(8, seed=9000)))
        page.wait_for_selector("text=3 classes, 24 pictures")
        page.click(".tabs >> text=Train")
        page.click("main button.primary:has-text('Train')")
        page.wait_for_selector(".badge.succeeded", timeout=60_000)
    page.context.grant_permissions(["camera"])
    page.goto(f"{trained['address']}classify/")
    return page


def answers(*shares: tuple[str, float]) -> dict[str, Any]:
    classes = [{"name": name, "probability": share} for name, share in shares]
    return {"model_version": 7, "milliseconds": 1, "predictions": [{"file": "camera.jpg", "classes": classes}]}


def test_what_the_camera_sees_is_named(live: Any) -> None:
    live.click("[data-camera-open]")
    expect(live.locator(TOP)).to_have_text("green")
    expect(live.locator(FACTS)).to_contain_text("Version 1 ·")
    assert [row.strip() for row in live.locator(".live .bar-name").all_inner_texts()] == ["blue", "green", "red"]
    expect(live.locator(f"{ROWS} >> nth=1")).to_contain_text("100.0")
    expect(live.locator("[data-live=said]")).to_have_text("green")  # once it has stayed
    keep_track(live)
    live.click("[data-live=close]")
    assert live.evaluate("window.kept.readyState") == "ended"
    expect(live.locator("[data-camera-open]")).to_be_focused()
    live.goto(trained["address"])
    live.wait_for_selector("text=3 classes, 24 pictures")  # nothing is kept


def test_questions_are_small_and_asked_one_at_a_time(live: Any) -> None:
    live.evaluate(
        """const send = XMLHttpRequest.prototype.send; window.open = 0; window.most = 0; window.sizes = [];
        XMLHttpRequest.prototype.send = function (body) {
            window.most = Math.max(window.most, window.open += 1);
            window.sizes.push(body.get("image").size);
            this.addEventListener("loadend", () => { window.open -= 1; });
            send.call(this, body);
        }; 0"""
    )
    live.click("[data-camera-open]")
    while len(live.evaluate("window.sizes")) < 5:
        live.wait_for_timeout(100)
    assert live.evaluate("window.most") == 1
    assert max(live.evaluate("window.sizes")) < 30_000


def test_bars_stay_in_their_rows(live: Any) -> None:
    said = [answers(("blue", 0.6), ("green", 0.3), ("red", 0.1))]
    live.route(CALL, lambda route: route.fulfill(json=said[-1]))
    live.click("[data-camera-open]")
    expect(live.locator(TOP)).to_have_text("blue")
    places = live.evaluate(
        "[...document.querySelectorAll('[data-live-row]')].map(row => row.getBoundingClientRect().top)"
    )
    said.append(answers(("red", 0.6), ("teal", 0.3), ("blue", 0.1), ("green", 0)))  # a class more than rows
    expect(live.locator(TOP)).to_have_text("red")
    assert live.locator(".live .bar-name").all_inner_texts() == ["blue", "teal", "red"]
    assert live.locator(".live .number").all_inner_texts() == ["10.0\xa0%", "30.0\xa0%", "60.0\xa0%"]
    assert places == live.evaluate(
        "[...document.querySelectorAll('[data-live-row]')].map(row => row.getBoundingClientRect().top)"
    )


@pytest.mark.expects_errors(REFUSED)
@pytest.mark.parametrize("status", [429, 503])
def test_busy_server_is_asked_again_when_it_says(status: int, live: Any) -> None:
    asked: list[int] = []

    def answer(route: Any) -> None:
        asked.append(status)
        if len(asked) > 1:
            route.fulfill(json=answers(("red", 1)))
        else:
            route.fulfill(status=status, headers={"Retry-After": "3"}, json={"error": "Please try again soon."})

    live.route(CALL, answer)
    live.click("[data-camera-open]")
    expect(live.locator(FACTS)).to_have_text("Please try again soon. It is tried again in 3 s.")
    live.wait_for_timeout(2000)
    assert len(asked) == 1
    expect(live.locator(FACTS)).to_contain_text("Version 7")


@pytest.mark.expects_errors(r"net::ERR_FAILED .*/classify$")
def test_lost_connection_is_told_and_waited_for(live: Any) -> None:
    live.route(CALL, lambda route: route.abort())
    live.click("[data-camera-open]")
    expect(live.locator(FACTS)).to_contain_text("The connection was lost. It is tried again in")
    live.unroute(CALL)
    expect(live.locator(TOP)).to_have_text("green")


@pytest.mark.expects_errors(REFUSED)
def test_whoever_is_signed_out_can_sign_in_elsewhere_and_it_goes_on(live: Any) -> None:
    cookies = live.context.cookies()
    live.click("[data-camera-open]")
    expect(live.locator(TOP)).to_have_text("green")
    live.context.clear_cookies()
    expect(live.locator(FACTS)).to_contain_text("You are signed out. Sign in again in another tab")
    live.context.add_cookies(cookies)
    expect(live.locator(FACTS)).to_contain_text("Version 1 ·")


@pytest.mark.expects_errors(REFUSED)
def test_what_asking_again_does_not_help_stops_the_camera(live: Any) -> None:
    sentence = "No version of this project is live yet."
    live.route(CALL, lambda route: route.fulfill(status=409, json={"error": sentence}))
    live.click("[data-camera-open]")
    expect(live.locator(".live [data-camera=why]")).to_have_text(sentence)
    assert live.evaluate("document.querySelector('[data-camera=video]').srcObject") is None


def test_hidden_page_asks_nothing(live: Any) -> None:
    live.click("[data-camera-open]")
    expect(live.locator(TOP)).to_have_text("green")
    hide(live, True)
    live.wait_for_load_state("networkidle")
    asked: list[str] = []
    live.on("request", lambda request: asked.append(request.url))
    live.wait_for_timeout(1000)
    assert asked == []
    with live.expect_request(CALL):
        hide(live, False)


def test_whoever_wants_little_motion_gets_an_answer_a_second(live: Any) -> None:
    live.emulate_media(reduced_motion="reduce")
    live.reload()
    live.evaluate(
        """const send = XMLHttpRequest.prototype.send; window.asked = [];
        XMLHttpRequest.prototype.send = function (body) {
            window.asked.push(performance.now());
            send.call(this, body);
        }; 0"""
    )
    live.click("[data-camera-open]")
    while len(times := live.evaluate("window.asked")) < 4:
        live.wait_for_timeout(200)
    assert times[3] - times[0] > 2000  # at five a second it would be 600


def test_plain_http_classifies_what_the_phone_takes(live: Any, phone: Any) -> None:
    phone.add_init_script(ELSEWHERE)
    phone.goto(live.url)
    phone.click("[data-camera-open]")
    phone.wait_for_selector("text=The camera works over HTTPS and on localhost only")
    expect(phone.locator("text=Use the phone’s camera")).to_be_visible()
    picture = {"name": "IMG_1.jpg", "mimeType": "image/jpeg", "buffer": make_jpeg(4, colour=(200, 40, 40))}
    phone.set_input_files("[data-camera=phone]", [picture])
    expect(phone.locator(".answer h2")).to_have_text("red")


def test_phone_shows_picture_and_bars_together(live: Any, phone: Any) -> None:
    phone.context.grant_permissions(["camera"])
    phone.goto(live.url)
    phone.click("[data-camera-open]")
    expect(phone.locator(TOP)).to_have_text("green")
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert phone.evaluate(
        "document.querySelector('.live [data-live=facts]').getBoundingClientRect().bottom"
        " - document.querySelector('.live .viewfinder').getBoundingClientRect().top <= window.innerHeight"
    )
