"""Pictures taken with the camera: one by one, held down, on a phone, and where there is no camera."""

import ast
import io
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.test_main_path import new_project
from tests.pictures import make_jpeg
from tests.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.site]

SHUTTER = "[data-camera=shutter]"
NEXT_BURST = 1200  # ms; what is taken sooner belongs to the last burst
ELSEWHERE = """
Object.defineProperty(window, "isSecureContext", { value: false });
Object.defineProperty(navigator, "mediaDevices", { value: undefined });
"""
FRONT = """
const settings = MediaStreamTrack.prototype.getSettings;
MediaStreamTrack.prototype.getSettings = function () { return { ...settings.call(this), facingMode: "user" }; };
"""


def refusing(name: str) -> str:
    """Return a script in whose page the camera answers with an error of that name."""
    return f'navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException("no", "{name}"); }};'


REFUSED = r"status of 5\d\d .* /projects/.*/(picture|start)$"


@pytest.fixture
def allowed(signed_in: Any) -> Any:
    """Return the page, which may use the camera."""
    signed_in.context.grant_permissions(["camera"])
    return signed_in


def open_camera(page: Any, label: str = "mug") -> None:
    page.click("[data-camera-open]")
    if label:
        page.fill("#camera-class", label)


def ready(page: Any, name: str, label: str = "mug") -> None:
    """Make a project and open its camera."""
    new_project(page, name)
    open_camera(page, label)
    expect(page.locator(SHUTTER)).to_be_enabled()


def wait_for_counts(page: Any, pattern: str) -> None:
    expect(page.locator("[data-camera=counts]")).to_have_text(re.compile(pattern), timeout=20_000)


def wait_until_taken(page: Any, least: int) -> None:
    page.wait_for_selector(f"[data-camera=shots] li >> nth={least - 1}", state="attached")


def groups(site: Site, project: str) -> Counter[str]:
    """Count the samples of each group, in the order in which the groups began."""
    code = (
        "from classifier.models import Sample;"
        f"print(list(Sample.objects.filter(project__name={project!r}).order_by('pk').values_list('group', flat=True)))"
    )
    return Counter(ast.literal_eval(site.manage("shell", "-c", code).stdout.splitlines()[-1]))


# --- taking -------------------------------------------------------------------------------------------


def test_one_press_takes_one_picture(allowed: Any) -> None:
    page = allowed
    ready(page, "One by one")
    page.click(SHUTTER)
    wait_for_counts(page, "^1 taken · 1 stored$")
    assert page.locator("[data-camera=shots] canvas").count() == 1
    page.click("text=Close")
    page.wait_for_selector("text=1 class, 1 picture")
    assert page.inner_text(".camera-state").startswith("From the camera: 1 taken · 1 stored")
    page.click(".class-name")
    page.wait_for_selector("h1:has-text('mug')")
    page.click("[data-camera-open]")
    expect(page.locator(SHUTTER)).to_be_focused()  # the class is known here
    page.keyboard.press("Enter")
    wait_for_counts(page, "^1 taken")


def test_each_hold_is_a_group_of_its_own(allowed: Any, empty_site: Site) -> None:
    page = allowed
    ready(page, "Held down")
    page.select_option("[data-camera=rate]", "8")
    page.focus(SHUTTER)
    page.keyboard.down("Space")
    wait_until_taken(page, 4)
    page.keyboard.up("Space")
    page.wait_for_timeout(NEXT_BURST)
    first = int(page.inner_text("[data-camera=counts]").split()[0])
    page.hover(SHUTTER)
    page.mouse.down()
    wait_until_taken(page, first + 3)
    page.mouse.move(5, 5)  # a hand that slips off goes on
    wait_until_taken(page, first + 5)
    page.mouse.up()
    wait_for_counts(page, "taken(?!.* to send)")
    taken = int(page.inner_text("[data-camera=counts]").split()[0])
    counted = groups(empty_site, "Held down")
    assert len(counted) == 2
    assert all(name.startswith("camera ") for name in counted)
    assert min(counted.values()) > 1  # a slow machine may see the same twice, which is stored once
    page.wait_for_timeout(500)
    assert page.inner_text("[data-camera=counts]").split()[0] == str(taken)  # nothing is taken once it is let go


def test_quick_presses_are_one_group_and_need_no_pointer(allowed: Any, empty_site: Site) -> None:
    page = allowed
    ready(page, "Quick")
    page.evaluate(
        "{ const shutter = document.querySelector('[data-camera=shutter]'); shutter.click(); shutter.click(); }"
    )
    wait_for_counts(page, "^2 taken(?!.* to send)")
    assert len(groups(empty_site, "Quick")) == 1


def test_class_is_asked_for_before_a_picture_is_taken(allowed: Any) -> None:
    page = allowed
    new_project(page, "No class yet")
    open_camera(page, label="")
    expect(page.locator("[data-camera=choice-field]")).to_be_visible()  # the camera runs
    expect(page.locator(SHUTTER)).to_be_disabled()
    assert page.inner_text(SHUTTER) == "First write the class"
    expect(page.locator("#camera-class")).to_be_focused()
    page.keyboard.type("cup")
    page.keyboard.press("Enter")
    expect(page.locator(SHUTTER)).to_be_focused()
    page.keyboard.press("Space")
    wait_for_counts(page, "^1 taken · 1 stored$")
    page.keyboard.press("Escape")
    expect(page.locator("[data-camera-panel]")).to_be_hidden()
    page.wait_for_selector(".class-name:has-text('cup')")


def test_another_camera_can_be_chosen(allowed: Any) -> None:
    page = allowed
    ready(page, "Two cameras")
    device = "document.querySelector('[data-camera=video]').srcObject.getVideoTracks()[0].getSettings().deviceId"
    first = page.evaluate(device)
    page.select_option("[data-camera=choice]", index=1)
    expect(page.locator(SHUTTER)).to_be_enabled()
    assert page.evaluate(device) != first
    assert page.input_value("[data-camera=choice]") == page.evaluate(device)


def clock_is_left(data: bytes) -> bool:
    """Return whether the clock that the made-up camera writes at the top left is there, between the two corners."""
    picture = Image.open(io.BytesIO(data)).convert("L")
    strip = np.asarray(picture.crop((picture.width // 12, 0, picture.width * 11 // 12, picture.height // 10)), np.int16)
    bright = np.abs(strip - np.median(strip)) > 40
    half = strip.shape[1] // 2
    return bool(bright[:, :half].sum() > bright[:, half:].sum())


def test_front_camera_is_mirrored_for_the_eye_only(allowed: Any) -> None:
    page = allowed
    page.add_init_script(FRONT)
    ready(page, "Mirror")
    assert "mirrored" in page.get_attribute("[data-camera=video]", "class")
    page.click(SHUTTER)
    wait_for_counts(page, "1 stored")
    page.keyboard.press("Escape")
    page.click(".class-name")
    whole = re.sub(r"/\d+$", "", page.get_attribute(".sample img", "src"))
    assert clock_is_left(page.request.get(whole).body())


# --- stopping -----------------------------------------------------------------------------------------


def keep_track(page: Any) -> None:
    page.evaluate("window.kept = document.querySelector('[data-camera=video]').srcObject.getVideoTracks()[0]")


def test_closed_panel_lets_go_of_the_camera(allowed: Any) -> None:
    page = allowed
    ready(page, "Closed")
    keep_track(page)
    page.focus(SHUTTER)
    page.keyboard.down("Space")
    page.keyboard.press("Escape")  # while it is held
    page.wait_for_function("window.kept.readyState === 'ended'")
    expect(page.locator("[data-camera-panel]")).to_be_hidden()
    expect(page.locator("[data-camera-open]")).to_be_focused()


def hide(page: Any, hidden: bool) -> None:
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_hidden_page_lets_go_of_the_camera_until_it_is_seen(allowed: Any) -> None:
    page = allowed
    ready(page, "Hidden")
    keep_track(page)
    hide(page, True)
    assert page.evaluate("window.kept.readyState") == "ended"
    assert page.is_disabled(SHUTTER)
    hide(page, False)
    expect(page.locator(SHUTTER)).to_be_enabled()


# --- what goes wrong ----------------------------------------------------------------------------------


@pytest.mark.expects_errors(REFUSED)
def test_pictures_wait_while_the_site_is_away(allowed: Any) -> None:
    page = allowed
    ready(page, "Away for a while")
    page.route("**/picture", lambda route: route.fulfill(status=503, json={"error": "The disk is full."}))
    page.click(SHUTTER)
    note = page.locator("[data-camera=trouble-note]")
    expect(note).to_contain_text("The disk is full. It is tried again in 1 s.")
    wait_for_counts(page, "^1 taken · 0 stored · 1 to send$")
    page.unroute("**/picture")
    wait_for_counts(page, "^1 taken · 1 stored$")
    expect(note).to_be_hidden()


@pytest.mark.expects_errors(REFUSED)
def test_refused_pictures_are_kept_and_sent_when_asked(allowed: Any) -> None:
    page = allowed
    ready(page, "Refused once")
    page.route("**/picture", lambda route: route.fulfill(status=500, json={"error": "Something went wrong."}))
    page.click(SHUTTER)
    wait_for_counts(page, "1 failed")
    expect(page.locator("[data-camera=reason]")).to_have_text("Something went wrong.")
    page.click("text=Close")
    page.unroute("**/picture")
    page.click("[data-camera=retry]")  # which has moved out of the panel
    wait_for_counts(page, "^1 taken · 1 stored$")
    page.wait_for_selector("text=1 class, 1 picture")
    expect(page.locator("[data-camera=reason]")).to_be_hidden()


def test_page_that_is_slow_to_refresh_shows_the_last_picture(allowed: Any) -> None:
    page = allowed
    ready(page, "Slow")
    pictures: list[Any] = []
    pages: list[Any] = []
    page.route("**/picture", lambda route: pictures.append(route))
    page.route(page.url, lambda route: route.continue_() if pages else pages.append(route))
    page.click(SHUTTER)
    page.click("text=Close")  # asks for the page before the picture has come
    while not (pictures and pages):
        page.wait_for_timeout(50)
    pictures[0].continue_()
    wait_for_counts(page, "^1 taken · 1 stored$")  # and asks again
    old = "<section id=pictures>0 pictures</section><div id=head></div>"
    pages[0].fulfill(body=old, content_type="text/html")
    page.wait_for_selector("text=1 class, 1 picture")


@pytest.mark.expects_errors(REFUSED)
def test_no_more_are_taken_than_can_be_kept(allowed: Any) -> None:
    page = allowed
    ready(page, "Full")
    page.route("**/uploads/start", lambda route: route.fulfill(status=500, json={"error": "Something went wrong."}))
    page.evaluate("for (let n = 0; n < 150; n += 1) document.querySelector('[data-camera=shutter]').click()")
    wait_for_counts(page, "^100 taken")
    assert "No more pictures are taken until these have been sent." in page.inner_text("[data-camera=reason]")
    page.unroute("**/uploads/start")
    page.click("[data-camera=retry]")
    wait_for_counts(page, "100 taken(?!.* (failed|to send))")


def test_name_that_cannot_be_a_class_is_said(allowed: Any) -> None:
    page = allowed
    ready(page, "Bad name", label="a\u0007b")
    page.click(SHUTTER)
    wait_for_counts(page, "1 rejected")
    assert "class name cannot be used" in page.inner_text("[data-camera=reason]")


def test_refused_permission_says_how_to_give_it(signed_in: Any) -> None:
    page = signed_in
    new_project(page, "Refused")
    open_camera(page)
    page.wait_for_selector("text=The browser does not let this page use the camera. Allow it")
    assert page.is_disabled(SHUTTER)
    page.context.grant_permissions(["camera"])
    page.click("[data-camera=again]")
    expect(page.locator(SHUTTER)).to_be_enabled()
    expect(page.locator("[data-camera=trouble]")).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("NotFoundError", "No camera was found. Connect one"),
        ("NotReadableError", "Another program or tab may be using it"),
        ("AbortError", "Another program or tab may be using it"),
        ("SecurityError", "The browser does not let this page use the camera"),
        ("TypeError", "The camera could not be started"),
    ],
)
def test_camera_that_cannot_start_says_why(name: str, sentence: str, signed_in: Any) -> None:
    page = signed_in
    page.add_init_script(refusing(name))
    new_project(page, name)
    open_camera(page)
    page.wait_for_selector(f"text={sentence}")


def test_camera_that_is_pulled_out_says_so(allowed: Any) -> None:
    page = allowed
    ready(page, "Pulled out")
    keep_track(page)
    page.evaluate("window.kept.dispatchEvent(new Event('ended'))")
    page.wait_for_selector("text=The camera has stopped.")
    assert page.evaluate("window.kept.readyState") == "ended"
    page.click("[data-camera=again]")
    expect(page.locator(SHUTTER)).to_be_enabled()


def test_plain_http_says_where_the_camera_works(signed_in: Any) -> None:
    page = signed_in
    page.add_init_script(ELSEWHERE)
    new_project(page, "Plain HTTP")
    open_camera(page)
    page.wait_for_selector("text=The camera works over HTTPS and on localhost only")
    expect(page.locator("[data-camera=again]")).to_be_hidden()
    expect(page.locator(".on-phone")).to_be_hidden()  # where nothing is touched, it would only choose a file


# --- on a phone ---------------------------------------------------------------------------------------


def test_phone_without_https_takes_pictures_with_its_own_program(phone: Any, empty_site: Site) -> None:
    phone.add_init_script(ELSEWHERE)
    new_project(phone, "Phone")
    open_camera(phone)
    expect(phone.locator("text=Use the phone’s camera")).to_be_visible()
    assert phone.get_attribute("[data-camera=phone]", "capture") == "environment"
    picture = {"name": "IMG_1.jpg", "mimeType": "image/jpeg", "buffer": make_jpeg(1)}
    phone.set_input_files("[data-camera=phone]", [picture])
    wait_for_counts(phone, "^1 taken · 1 stored$")
    assert list(groups(empty_site, "Phone")) == [""]


def test_phone_asks_for_the_camera_at_its_back_and_fits(phone: Any) -> None:
    phone.context.grant_permissions(["camera"])
    phone.add_init_script(
        """const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = (wanted) => { window.wanted = wanted; return ask(wanted); };"""
    )
    ready(phone, "Back")
    assert phone.evaluate("window.wanted.video.facingMode.ideal") == "environment"
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shutter = phone.locator(SHUTTER).bounding_box()
    assert shutter["y"] + shutter["height"] <= 740
    phone.tap(SHUTTER)
    wait_for_counts(phone, "^1 taken · 1 stored$")


def test_everything_in_the_panel_has_a_label(allowed: Any) -> None:
    page = allowed
    ready(page, "Labels")
    unlabelled = page.evaluate(
        "[...document.querySelectorAll('[data-camera-panel] :is(input, select, video)')]"
        ".filter(one => !(one.labels && one.labels.length) && !one.getAttribute('aria-label'))"
        ".map(one => one.outerHTML)"
    )
    assert unlabelled == []
