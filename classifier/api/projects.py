"""Projects."""

from typing import Any

from ninja import Router, Status, params

from classifier import selectors
from classifier.access import SignedIn, find_project
from classifier.api import schemas
from classifier.api.errors import errors
from classifier.api.present import present_project
from classifier.roles import Role
from classifier.services import project_settings, projects, purging, sample_sets, trash
from classifier.services.project_files import offering

router = Router()
TYPED = "the name of the project: then it is deleted for good at once, and nobody can bring it back"


@router.get("/projects", response={200: list[schemas.ProjectOut], **errors()})
def list_projects(request: SignedIn) -> Any:
    """List your projects."""
    return selectors.list_projects(request.user)


@router.post("/projects", response={201: schemas.ProjectOut, **errors(400, 409, 413, 422)})
def create_project(request: SignedIn, payload: schemas.ProjectIn) -> Any:
    """Create an empty project."""
    return Status(201, projects.create_project(payload.name, by=request.user))


@router.post("/sample-projects", response={202: schemas.SampleProjectOut, **errors(400, 409, 413, 422)})
def create_sample_project(request: SignedIn, payload: schemas.SampleProjectIn) -> Any:
    """Create a project and start a job that fills it with sample pictures."""
    project, started = sample_sets.start_sample_project(payload.name, by=request.user)
    return Status(202, {"slug": project.slug, "job": started.job_id})


@router.get("/projects/{slug}", response={200: schemas.ProjectDetail, **errors(404, 422)})
def get_project(request: SignedIn, slug: str) -> Any:
    """Return a project with its classes and the number of pictures in each."""
    return present_project(find_project(request, slug))


@router.patch("/projects/{slug}", response={200: schemas.ProjectOut, **errors(400, 404, 409, 413, 422)})
def rename_project(request: SignedIn, slug: str, payload: schemas.ProjectIn) -> Any:
    """Rename a project. Its slug, and with it all addresses, stays."""
    project = find_project(request, slug)
    projects.rename_project(project, payload.name)
    return project


@router.get("/projects/{slug}/settings", response={200: schemas.ProjectSettings, **errors(404, 422)})
def get_project_settings(request: SignedIn, slug: str) -> Any:
    """Return the settings of a project, such as its quality gate."""
    return find_project(request, slug)


@router.patch("/projects/{slug}/settings", response={200: schemas.ProjectSettings, **errors(400, 404, 409, 413, 422)})
def change_project_settings(request: SignedIn, slug: str, payload: schemas.ProjectSettingsIn) -> Any:
    """Change settings of a project; what is left out stays as it is, and null takes a condition away."""
    return project_settings.change_settings(find_project(request, slug), **payload.model_dump(exclude_unset=True))


@router.post("/projects/{slug}/project-file", response={202: schemas.JobRef, **errors(400, 404, 409, 413, 422)})
def write_project_file(request: SignedIn, slug: str) -> Any:
    """Start a job that writes the whole project into a file, which `import_project` of another site brings in.

    It has pictures, history, versions and embeddings; members, links and the trash stay. Only the owner may do this.
    """
    job = offering.request_project_file(find_project(request, slug, Role.OWNER), by=request.user)
    return Status(202, {"job": job.pk})


@router.delete("/projects/{slug}", response={204: None, **errors(400, 404, 409, 413, 422)})
def delete_project(
    request: SignedIn,
    slug: str,
    at_once: str | None = params.Query(None, max_length=200, description=TYPED),  # type: ignore[type-arg]
) -> Any:
    """Move a project to the trash with all that it has, and cancel its jobs. From then on it is not found."""
    project = find_project(request, slug, Role.OWNER)
    if at_once is not None:
        trash.check_name(project, at_once)
    trash.delete_project(project)
    if at_once is not None:
        purging.request_purge(project, by=request.user)
    return Status(204, None)
