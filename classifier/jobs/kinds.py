"""The kinds of job, as data: what each is called, where it runs, its stages, what it gives, and how a page shows it.

To add one: an entry here, its file in `worker/`, and a template for what it leaves on its page. `run` is a name and not
a function, because the site starts work without importing it.
"""

from dataclasses import dataclass, replace

from pydantic import BaseModel

from classifier.jobs.results import (
    AuditResult,
    BackboneComparison,
    BackboneResult,
    EmbedResult,
    ExportResult,
    IngestResult,
    NoResult,
    ProjectFileResult,
    ReproduceResult,
    TrainResult,
    VersionResult,
)
from classifier.jobs.stages import (
    COMPARE,
    HEAD,
    LOADING_SECONDS,
    TUNING,
    Config,
    Stage,
    augments,
    downloads,
    embed_stage,
    fine_tunes,
    recipe_has_even_steps,
    recipe_stops,
)


@dataclass(frozen=True)
class JobKind:
    name: str
    title: str
    queue: str
    run: str  # "module:function", called by the worker with the claimed job
    stages: tuple[Stage, ...] = ()
    result: type[BaseModel] = NoResult
    template: str = ""  # what the job's page shows of it; the context has the job
    background: bool = False  # nobody waits for it: all others go first, and no page lists it

    def stages_of(self, config: Config) -> list[Stage]:
        """List the stages that a job with this config goes through."""
        return [stage for stage in self.stages if stage.applies(config)]


INGEST = JobKind(
    name="ingest",
    title="Reading pictures",
    queue="ingest",
    run="worker.ingest:ingest",
    stages=(
        Stage("download", "Downloading", unit="MB", applies=downloads, rate=5),
        Stage("read", "Reading pictures", unit="pictures", in_parts=True, rate=100),
    ),
    result=IngestResult,
    template="classifier/jobs/_ingest.html",
)
READ = JobKind(name="read", title="Reading a part of an archive", queue="ingest", run="worker.ingest:read_part")
TRAIN = JobKind(
    name="train",
    title="Training",
    queue="train",
    run="worker.train:train",
    # Embedding is nearly all of a first training, and over at once where all embeddings are cached. Where the backbone
    # is trained as well, that is nearly all.
    stages=(
        Stage("fetch", "Downloading the backbone’s weights", "MB", depends_on=("backbone",), rate=5),
        Stage("prepare", "Preparing the backbone", depends_on=("backbone",), seconds=LOADING_SECONDS),
        embed_stage("embed", "Computing features of the pictures"),
        COMPARE,
        Stage("freeze", "Writing down which pictures are used", grows=True, seconds=0.3),
        embed_stage("embed_copies", "Computing features of changed copies", applies=augments),
        embed_stage("embed_more", "Computing the last features", applies=lambda config: not augments(config)),
        Stage("load", "Loading features", depends_on=("backbone",), grows=True, seconds=0.3),
        Stage(
            "head",
            "Training the last layer",
            depends_on=HEAD,
            grows=True,
            seconds=4,
            can_stop=recipe_stops,
            has_even_steps=recipe_has_even_steps,
        ),
        Stage("build", "Preparing for fine-tuning", applies=fine_tunes, depends_on=TUNING, seconds=20),
        Stage(
            "fine_tune",
            "Fine-tuning the backbone",
            "pictures",
            applies=fine_tunes,
            depends_on=TUNING,
            rate=20,
            can_stop=fine_tunes,
        ),
        Stage("convert", "Converting the fine-tuned backbone", "", fine_tunes, TUNING, seconds=20),
        Stage(
            "extract",
            "Computing features of the validation and test pictures",
            unit="pictures",
            applies=fine_tunes,
            depends_on=TUNING,
            rate=60,
        ),
        Stage("evaluate", "Evaluating on the test pictures", depends_on=("fine_tuning", "recipe"), grows=True),
    ),
    result=TrainResult,
    template="classifier/jobs/_train.html",
)
_TRAIN_ONLY = ("embed", "compare", "freeze")  # stages that go before the inputs are frozen
REPRODUCE = JobKind(
    name="reproduce",
    title="Training again to compare",
    queue="train",
    run="worker.reproduce:reproduce",
    stages=tuple(stage for stage in TRAIN.stages if stage.name not in _TRAIN_ONLY),
    result=ReproduceResult,
    template="classifier/jobs/_reproduce.html",
)
EMBED = JobKind(name="embed", title="Computing features", queue="embed", run="worker.embed:embed", result=EmbedResult)
# The part of getting ready that is done beside computing features, and not after it.
SAME_PHOTOS = JobKind(
    name="same_photos",
    title=COMPARE.title,
    queue="embed",
    run="worker.same_photos:find_same_photos",
    stages=(COMPARE,),
    background=True,
)
GET_READY = JobKind(
    name="get_ready",
    title="Getting pictures ready for training",
    queue="embed",
    run="worker.get_ready:get_ready",
    stages=(embed_stage("embed", "Computing features of the pictures"), COMPARE),
    background=True,
)
AUDIT = JobKind(
    name="audit",
    title="Checking pictures",
    queue="embed",
    run="worker.audit:audit",
    stages=(
        Stage("prepare", "Preparing the backbone", seconds=LOADING_SECONDS),
        embed_stage("embed", "Computing features of the pictures"),
        COMPARE,
        Stage("measure", "Measuring pictures", unit="pictures", rate=100),
        Stage("load", "Loading features", grows=True, seconds=0.3),
        Stage("labels", "Checking labels", grows=True, seconds=2),
        Stage("map", "Drawing the map", grows=True, seconds=3),
        Stage("write", "Writing down what was found", unit="pictures", rate=5000),
    ),
    result=AuditResult,
    template="classifier/jobs/_audit.html",
)
# The same after pictures have come in, below anything somebody waits for.
EARLY_AUDIT = replace(AUDIT, name="early_audit", background=True)
# What a training would give now, for projects that are always up to date.
CANDIDATE = JobKind(
    name="candidate",
    title="Training a candidate",
    queue="embed",
    run="worker.candidate:train_candidate",
    stages=tuple(stage for stage in TRAIN.stages if stage.name in ("compare", "load", "head", "evaluate")),
    background=True,
)
COMPARE_BACKBONES = JobKind(
    name="compare_backbones",
    title="Comparing backbones",
    queue="embed",
    run="worker.compare_backbones:compare_backbones",
    stages=(
        Stage("prepare", "Preparing the backbones", seconds=LOADING_SECONDS),
        Stage("embed", "Computing features with each backbone", "pictures", in_parts=True, rate=30),
        COMPARE,
        Stage("judge", "Trying each backbone", grows=True, seconds=5),
    ),
    result=BackboneComparison,
    template="classifier/jobs/_compare_backbones.html",
)
EXPORT = JobKind(
    name="export",
    title="Exporting",
    queue="train",
    run="worker.export:export",
    stages=(
        Stage("build", "Building the files", depends_on=("format", "backbone"), seconds=15),
        Stage("load", "Loading the files", depends_on=("format", "backbone"), seconds=10),
        Stage(
            "check",
            "Checking the files on the test pictures",
            unit="pictures",
            depends_on=("format", "backbone"),
            rate=10,
        ),
    ),
    result=ExportResult,
    template="classifier/jobs/_export.html",
)
_OPENING = (
    Stage("open", "Examining the file", seconds=LOADING_SECONDS),
    Stage("probe", "Running a test picture"),
    Stage("convert", "Converting the network", seconds=LOADING_SECONDS),
)
BACKBONE = JobKind(
    name="backbone",
    title="Adding a backbone",
    queue="untrusted",
    run="worker.custom_backbone:add_backbone",
    stages=(
        Stage("fetch", "Downloading the network", "MB", lambda config: bool(config.get("address")), rate=5),
        *_OPENING,
        Stage("measure", "Measuring its speed"),
    ),
    result=BackboneResult,
)
IMPORT = JobKind(
    name="import",
    title="Importing",
    queue="untrusted",
    run="worker.custom_backbone:import_version",
    stages=(*_OPENING, Stage("extract", "Classifying the test pictures", unit="pictures", rate=60)),
    result=VersionResult,
    template="classifier/jobs/_import.html",
)
HUB = JobKind(
    name="hub",
    title="Building a backbone’s file for TensorFlow Hub",
    queue="train",
    run="worker.hub:build_hub_file",
    stages=(Stage("build", "Building the files", seconds=LOADING_SECONDS),),
)
PROJECT_FILE = JobKind(
    name="project_file",
    title="Writing the project into a file",
    queue="ingest",
    run="worker.project_file:write_project_file",
    stages=(
        Stage("write", "Writing pictures", unit="pictures", rate=1000),
        Stage("store", "Storing the file", grows=True, seconds=2),
    ),
    result=ProjectFileResult,
    template="classifier/jobs/_project_file.html",
)
DELETE = JobKind(
    name="delete",
    title="Deleting for good",
    queue="ingest",
    run="worker.delete:delete_for_good",
    stages=(Stage("pictures", "Deleting pictures", unit="pictures", rate=1000), Stage("rest", "Deleting the rest")),
)
DISK_USAGE = JobKind(name="disk_usage", title="Measuring the disk", queue="ingest", run="worker.disk_usage:measure")
NOTIFY = JobKind(name="notify", title="Sending notifications", queue="ingest", run="worker.notify:notify")
KINDS = {
    kind.name: kind
    for kind in (
        INGEST,
        READ,
        TRAIN,
        REPRODUCE,
        EMBED,
        SAME_PHOTOS,
        GET_READY,
        AUDIT,
        EARLY_AUDIT,
        CANDIDATE,
        COMPARE_BACKBONES,
        EXPORT,
        BACKBONE,
        IMPORT,
        HUB,
        PROJECT_FILE,
        DELETE,
        DISK_USAGE,
        NOTIFY,
    )
}
QUEUES = tuple(dict.fromkeys(kind.queue for kind in KINDS.values()))
# The queues that the same workers serve. A message in one of them lets a worker take any job that waits in them.
SHARED_QUEUES = (("ingest", "embed"), ("train",), ("untrusted",))


def kinds_sharing_workers(kind: str) -> list[str]:
    """List the kinds whose jobs wait for the same workers as those of this kind."""
    queues = next(queues for queues in SHARED_QUEUES if KINDS[kind].queue in queues)
    return [name for name, known in KINDS.items() if known.queue in queues]
