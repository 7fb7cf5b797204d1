"""The audit log: read, filtered and taken away by the administrator."""

import csv
from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render

from classifier.access import SignedIn, administrator_page
from classifier.parsing import parse_number
from classifier.services import audit_log as service
from ml.datasets.cells import protect_cell

SHOWN = 100


@administrator_page
def audit_log(request: SignedIn) -> HttpResponse:
    """List what was done, a page at a time: `before` is the id that the last page ended with."""
    asked = _read_filter(request)
    found = service.list_entries(**asked)
    before = parse_number(request.GET.get("before", ""))
    if before is not None:
        found = found.filter(pk__lt=before)
    shown = list(found[: SHOWN + 1])
    entries = [(entry, service.ACTIONS.get(entry.action, entry.action)) for entry in shown[:SHOWN]]
    context = {
        "entries": entries,
        "asked": asked,
        "query": urlencode({name: value for name, value in asked.items() if value}),
        "following": shown[SHOWN - 1].pk if len(shown) > SHOWN else None,
        "actions": service.ACTIONS.items(),
        "days": settings.AUDIT_DAYS,
    }
    return render(request, "classifier/audit_log_page.html", context)


def _read_filter(request: SignedIn) -> dict[str, Any]:
    """Return what the form asks for; what makes no sense asks for nothing."""
    given = request.GET
    days = {name: _read_day(given.get(name, "")) for name in ("since", "until")}
    action = given.get("action", "")
    who = given.get("who", "").replace("\0", "").strip()[:150]
    return {"who": who, "action": action if action in service.ACTIONS else "", **days}


def _read_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


class _Echo:
    """A file for the csv module that hands each line back."""

    def write(self, line: str) -> str:
        return line


@administrator_page
def download(request: SignedIn) -> HttpResponseBase:
    """Send the entries that the filter lets through as CSV."""
    found = service.list_entries(**_read_filter(request))

    def lines() -> Iterator[str]:
        writer = csv.writer(_Echo())
        for row in service.as_rows(found):
            yield writer.writerow([protect_cell(cell) for cell in row])

    headers = {"Content-Disposition": 'attachment; filename="audit-log.csv"'}
    return StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8", headers=headers)
