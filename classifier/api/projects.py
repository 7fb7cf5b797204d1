"""Projects and their classes."""

from typing import Any

from django.shortcuts import get_object_or_404
from ninja import Router, Status

from classifier import selectors
from classifier.access import SignedIn, find_project
from classifier.api import schemas
from classifier.api.errors import ERRORS
from classifier.api.present import present_project
from classifier.services import projects, sample_sets

router = Router()


@router.get("/projects", response=list[schemas.ProjectOut])
def list_projects(request: SignedIn) -> Any:
    return selectors.list_projects(request.user)


@router.post("/projects", response={201: schemas.ProjectOut, **ERRORS})
def create_project(request: SignedIn, payload: schemas.ProjectIn) -> Any:
    return Status(201, projects.create_project(payload.name, by=request.user))


@router.post("/sample-projects", response={202: schemas.SampleProjectOut, **ERRORS})
def create_sample_project(request: SignedIn, payload: schemas.SampleProjectIn) -> Any:
    """A project with sample pictures, which a job brings."""
    project, started = sample_sets.start_sample_project(payload.name, by=request.user)
    return Status(202, {"slug": project.slug, "job": started.job_id})


@router.get("/projects/{slug}", response={200: schemas.ProjectDetail, **ERRORS})
def get_project(request: SignedIn, slug: str) -> Any:
    return present_project(find_project(request, slug))


@router.patch("/projects/{slug}", response={200: schemas.ProjectOut, **ERRORS})
def rename_project(request: SignedIn, slug: str, payload: schemas.ProjectIn) -> Any:
    project = find_project(request, slug)
    projects.rename_project(project, payload.name)
    return project


@router.post("/projects/{slug}/classes", response={201: schemas.ClassOut, **ERRORS})
def create_class(request: SignedIn, slug: str, payload: schemas.ClassIn) -> Any:
    image_class = projects.get_or_create_class(find_project(request, slug), payload.name)
    count = selectors.class_counts(image_class.project).get(image_class.pk, 0)
    return Status(201, {"id": image_class.pk, "name": image_class.name, "samples": count})


@router.patch("/projects/{slug}/classes/{class_id}", response={200: schemas.ClassOut, **ERRORS})
def rename_class(request: SignedIn, slug: str, class_id: int, payload: schemas.ClassIn) -> Any:
    image_class = get_object_or_404(find_project(request, slug).classes, pk=class_id)
    projects.rename_class(image_class, payload.name)
    count = selectors.class_counts(image_class.project).get(image_class.pk, 0)
    return {"id": image_class.pk, "name": image_class.name, "samples": count}


@router.delete("/projects/{slug}/classes/{class_id}", response={204: None, **ERRORS})
def delete_class(request: SignedIn, slug: str, class_id: int) -> Any:
    projects.delete_class(get_object_or_404(find_project(request, slug).classes, pk=class_id))
    return Status(204, None)
