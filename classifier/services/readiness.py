"""samples -> embeddings, before anybody presses Train: so that a training finds them computed."""

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from classifier.jobs.kinds import GET_READY, TRAIN
from classifier.jobs.lifecycle import cancel_job
from classifier.jobs.sending import queue_job
from classifier.models import Embedding, Job, Project, Sample
from classifier.prepared import PreparedQuery
from classifier.services.custom_backbones import find_backbone
from ml.backbones.backbone import Backbone
from ml.engines.embeddings import embedding_key
from ml.errors import UserError

# Asked with every picture that comes in, mostly to learn that there is one.
OPEN = PreparedQuery(lambda project: _list_open(project).values_list("pk")[:1], int)
ROUND = 256  # pictures between two looks at what has come, and two comparisons


def get_ready_soon(project: Project, *, asked: bool = False) -> None:
    """Queue the job that computes a project's missing embeddings, unless it is queued already.

    Where the operator wants none before a training, it is done only if somebody asked for what needs them.
    """
    if not (settings.EMBED_EARLY or asked) or OPEN.rows(project.pk):
        return
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # two uploads at once must not queue two
        if not OPEN.rows(project.pk):
            project.jobs.filter(kind=GET_READY.name).exclude(status__in=Job.OPEN).delete()  # nobody looks at them
            queue_job(GET_READY, project=project, by=project.owner)


def give_way(project: Project) -> None:
    """Cancel the job that gets the project's pictures ready, as somebody waits for the same work now."""
    job = find_open(project)
    if job is not None:
        cancel_job(job)


def choose_backbone(project: Project) -> Backbone | None:
    """Return the backbone that the next training will probably use: that of the last one, or the default.

    Return None where only workers with TensorFlow can run it, or where its weights would have to be downloaded.
    """
    last = project.jobs.filter(kind=TRAIN.name).order_by("-pk").values_list("config__backbone", flat=True).first()
    try:
        backbone = find_backbone(last or settings.BACKBONE)
        backbone.digest  # noqa: B018 - looks for the weights
    except UserError:  # there is none of this name any more, or its weights are missing
        return None
    return None if backbone.needs_tensorflow else backbone


def list_unready(project: Project, backbone: Backbone) -> list[int]:
    """List the ids of some images of the project without an embedding by this backbone, the oldest samples first."""
    there = Embedding.objects.filter(key=embedding_key(backbone.digest)).values("image")
    kept = Sample.objects.filter(project=project, deleted_at=None, image__damaged_at=None).exclude(image__in=there)
    return list(kept.order_by("pk").values_list("image", flat=True)[:ROUND])


def find_open(project: Project) -> Job | None:
    """Return the job that gets the project's pictures ready, while it has not ended."""
    return _list_open(project.pk).first()


def _list_open(project: int) -> QuerySet[Job]:
    return Job.objects.filter(project=project, kind=GET_READY.name, status__in=Job.OPEN)
