"""A table or its chart as a file."""

from django.http import Http404, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from classifier.plots import Plot
from classifier.tables import Table


def send(name: str, table: Table, plot: Plot | None, form: str) -> HttpResponse:
    """Return a table as a file in one of the forms."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    if form == "csv":
        return HttpResponse(table.as_csv(), content_type="text/csv; charset=utf-8", headers=headers)
    if form == "json":
        return JsonResponse({"title": table.title, "rows": table.as_records()}, headers=headers)
    if form == "svg" and plot is not None:
        drawn = render_to_string("classifier/_plot_svg.html", {"plot": plot, "alone": True})
        return HttpResponse(drawn, content_type="image/svg+xml", headers=headers)
    raise Http404
