"""The tables and charts of an evaluation, as files."""

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.text import slugify

from classifier.access import SignedIn, project_page
from classifier.confusion_matrix import draw_heat_map
from classifier.evaluation_choices import chosen_class, chosen_order, chosen_threshold, find_version, load, source_of
from classifier.evaluation_plots import draw_coverage, draw_precision_over_recall, draw_reliability
from classifier.evaluation_tables import TABLES, thresholds_table
from classifier.models import Project
from classifier.services.evaluations import Evaluated
from classifier.table_files import draw_alone, send_drawn
from classifier.tables import Table

PLOTS = {"reliability": draw_reliability, "coverage": draw_coverage}


@project_page
def table(request: SignedIn, project: Project, number: int, table: str) -> HttpResponse:
    """Send a table as CSV or JSON, or its chart as SVG."""
    version, source = find_version(project, number), source_of(request)
    found = load(version, source)
    if found is None:
        raise Http404
    name, form = f"{slugify(project.name) or 'project'}-version-{number}-{table}", request.GET.get("as", "csv")
    return send_drawn(name, _table(request, found, table), _draw(request, found, table) if form == "svg" else "", form)


def _table(request: HttpRequest, found: Evaluated, table: str) -> Table:
    if table == "thresholds":
        return thresholds_table(found, chosen_class(request, found))
    if table not in TABLES:
        raise Http404
    return TABLES[table](found)


def _draw(request: HttpRequest, found: Evaluated, table: str) -> str:
    """Return the chart of a table as a file of its own; "" if it has none."""
    if table == "matrix":
        drawn = draw_heat_map(found, chosen_order(request, found))
        return render_to_string("classifier/_heat_map_svg.html", {"heat_map": drawn, "alone": True})
    if table == "thresholds":
        place = chosen_class(request, found)
        return draw_alone(draw_precision_over_recall(found, place, found.curve(place), chosen_threshold(request)))
    return draw_alone(PLOTS[table](found)) if table in PLOTS else ""
