"""All versions of a project in a table, and what people say of each."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_POST

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.evaluation_choices import find_version
from classifier.models import ModelVersion, Project
from classifier.parsing import parse_numbers
from classifier.run_columns import COLUMNS, RunColumn, chosen_columns, runs_table, show, sort_versions
from classifier.run_plots import MOST, draw_runs, list_without_curve
from classifier.services import model_versions
from classifier.table_files import send
from classifier.version_forms import VersionForm


@project_page
def index(request: SignedIn, project: Project) -> HttpResponse:
    """Show the versions with the columns and in the order that the address asks for, and curves of some."""
    found = project.model_versions.select_related("dataset_version", "job", "project")
    columns, sort = chosen_columns(request.GET), request.GET.get("sort", "")
    versions = sort_versions(found, sort)
    numbers = set(parse_numbers(request.GET.getlist("v")))
    chosen = sorted((version for version in versions if version.number in numbers), key=lambda version: version.number)
    context = {
        "project": project,
        "rows": [_row(version, columns, chosen) for version in versions],
        "columns": [_head(request, column, sort) for column in columns],
        "choices": [{"name": name, "title": one.title, "chosen": one in columns} for name, one in COLUMNS.items()],
        "sort": sort,
        "live": selectors.live_version(project),
        "chosen": chosen,
        "plots": draw_runs(chosen),
        "without_curve": list_without_curve(chosen),
        "most": MOST,
        "runs_query": "".join(f"&v={version.number}" for version in chosen),
    }
    return render(request, "classifier/versions_page.html", context)


def _row(version: ModelVersion, columns: list[RunColumn], chosen: list[ModelVersion]) -> dict[str, Any]:
    cells = [{"title": column.title, "text": show(column, version), "wide": column.wide} for column in columns]
    return {"version": version, "cells": cells, "chosen": version in chosen}


def _head(request: SignedIn, column: RunColumn, sort: str) -> dict[str, Any]:
    """Return the head of a column, with the address that sorts by it: the best first, the other way the second time."""
    wanted = column.name if sort == f"-{column.name}" else f"-{column.name}"
    kept = [(name, value) for name in ("column", "v") for value in request.GET.getlist(name)]
    order = {column.name: "ascending", f"-{column.name}": "descending"}.get(sort, "")
    return {"title": column.title, "query": urlencode([*kept, ("sort", wanted)]), "order": order}


@project_page
def table(request: SignedIn, project: Project) -> HttpResponse:
    """Send the table of all versions with all columns, or the curves of those that the address names."""
    versions = project.model_versions.select_related("dataset_version", "job")
    slug, form, asked = slugify(project.name) or "project", request.GET.get("as", "csv"), request.GET.get("table")
    if not asked:
        return send(f"{slug}-versions", runs_table(versions), None, form)
    chosen = versions.filter(number__in=parse_numbers(request.GET.getlist("v"))).order_by("number")
    plot = next((plot for plot in draw_runs(list(chosen)) if plot.name == asked), None)
    if plot is None:
        raise Http404
    return send(f"{slug}-{asked}", plot.table, plot, form)


@project_page
@require_POST
def describe(request: SignedIn, project: Project, number: int) -> HttpResponse:
    """Change name, note and pin of a version."""
    version, form = find_version(project, number), VersionForm(request.POST)
    if form.is_valid():
        model_versions.describe_version(version, **form.cleaned_data)
        messages.success(request, f"Saved what is said of version {number}.")
    else:
        problems = [problem["message"] for one in form.errors.get_json_data().values() for problem in one]
        messages.error(request, " ".join(problems))
    return redirect(version)
