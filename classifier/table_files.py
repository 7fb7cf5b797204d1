"""A table or its chart as a file."""

from django.http import Http404, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from classifier.plots import Plot
from classifier.tables import Table


def send(name: str, table: Table, plot: Plot | None, form: str) -> HttpResponse:
    """Return a table as a file in one of the forms, of which SVG is its chart."""
    return send_drawn(name, table, "" if plot is None else draw_alone(plot), form)


def draw_alone(plot: Plot) -> str:
    """Return a chart as a file of its own."""
    return render_to_string("classifier/_plot_svg.html", {"plot": plot, "alone": True})


def send_drawn(name: str, table: Table, drawn: str, form: str) -> HttpResponse:
    """Do so with a chart that has been drawn; "" where there is none."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    if form == "csv":
        return HttpResponse(table.as_csv(), content_type="text/csv; charset=utf-8", headers=headers)
    if form == "json":
        return JsonResponse({"title": table.title, "rows": table.as_records()}, headers=headers)
    if form == "svg" and drawn:
        return HttpResponse(drawn, content_type="image/svg+xml", headers=headers)
    raise Http404
