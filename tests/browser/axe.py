"""What axe says of a page, as a desktop and as a phone: WCAG 2.1 A and AA."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def check(opened: Any) -> None:
    found = []
    for screen in (DESKTOP, PHONE):
        opened.set_viewport_size(screen)
        for violation in Axe().run(opened, options=RULES).response["violations"]:
            nodes = [f"{node['target']} {node['failureSummary']}" for node in violation["nodes"][:3]]
            found.append(f"{screen['width']} px: {violation['id']}: {nodes}")
        width = opened.evaluate("document.documentElement.scrollWidth")
        if width > screen["width"]:
            found.append(f"{screen['width']} px: the page is {width} px wide")
    assert not found, "\n".join(found)
