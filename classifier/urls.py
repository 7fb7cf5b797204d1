"""The addresses of the pages, and of the API under /api/v1/."""

from django.urls import path, re_path

from classifier.api.addresses import not_found
from classifier.api.router import api
from classifier.views import (
    accounts,
    classes,
    custom_backbones,
    datasets,
    errors,
    exports,
    home,
    hub,
    images,
    job,
    pictures,
    predict,
    project,
    sample_actions,
    sources,
    tensorboard,
    train,
    uploads,
    versions,
)

urlpatterns = [
    path("api/v1/", not_found),
    path("api/v1/", api.urls),
    path("", home.project_list, name="project_list"),
    path("health", errors.health, name="health"),
    path("health/empty", errors.empty, name="empty"),
    # accounts
    path("set-up", accounts.set_up, name="set_up"),
    path("sign-in", accounts.SignIn.as_view(), name="sign_in"),
    path("sign-out", accounts.SignOut.as_view(), name="sign_out"),
    path("sign-up", accounts.sign_up, name="sign_up"),
    path("account/password", accounts.ChangePassword.as_view(), name="change_password"),
    path("account/keys", accounts.api_keys, name="api_keys"),
    path("account/keys/<int:pk>/revoke", accounts.revoke_key, name="revoke_key"),
    # projects, classes, samples
    path("projects/new", home.project_new, name="project_new"),
    path("projects/samples/<slug:name>", home.sample_project, name="sample_project"),
    path("projects/<slug:slug>/", project.project, name="project"),
    path("projects/<slug:slug>/mend-splits", project.mend_splits, name="mend_splits"),
    path("projects/<slug:slug>/readiness", project.readiness_part, name="readiness"),
    path("projects/<slug:slug>/rename", project.rename, name="project_rename"),
    path("projects/<slug:slug>/classes/new", classes.create, name="class_new"),
    path("projects/<slug:slug>/classes/<int:pk>/", classes.detail, name="class"),
    path("projects/<slug:slug>/classes/<int:pk>/rename", classes.rename, name="class_rename"),
    path("projects/<slug:slug>/classes/<int:pk>/delete", classes.delete, name="class_delete"),
    path("projects/<slug:slug>/from-this-server", sources.browse, name="sources"),
    path("projects/<slug:slug>/pictures/", pictures.grid, name="pictures"),
    path("projects/<slug:slug>/pictures/<int:pk>/", pictures.picture_page, name="picture_page"),
    path("projects/<slug:slug>/pictures/<int:pk>/versions", pictures.versions_say, name="versions_say"),
    path("projects/<slug:slug>/history/", pictures.history, name="history"),
    path("projects/<slug:slug>/history/<int:pk>/undo", sample_actions.undo_change, name="undo"),
    *(
        path(f"projects/<slug:slug>/samples/{name}", sample_actions.act, {"action": name}, name=f"samples_{name}")
        for name in sample_actions.ACTIONS
    ),
    path("projects/<slug:slug>/trash/empty", classes.purge, name="trash_empty"),
    path("projects/<slug:slug>/download", datasets.download, name="download"),
    path("projects/<slug:slug>/dataset-versions/", datasets.index, name="datasets"),
    path("projects/<slug:slug>/dataset-versions/<int:number>/", datasets.detail, name="dataset"),
    path("projects/<slug:slug>/dataset-versions/<int:number>/compare", datasets.compare, name="dataset_compare"),
    path("projects/<slug:slug>/dataset-versions/<int:number>/restore", datasets.restore, name="dataset_restore"),
    path("projects/<slug:slug>/images/<str:sha256>", images.picture, name="picture"),
    path("projects/<slug:slug>/images/<str:sha256>/<int:size>", images.thumbnail, name="thumbnail"),
    # backbones that people add
    path("backbones/", custom_backbones.index, name="backbone_list"),
    path("backbones/<int:pk>/", custom_backbones.detail, name="backbone"),
    path("backbones/<int:pk>/part", custom_backbones.part, name="backbone_part"),
    path("backbones/<int:pk>/cancel", custom_backbones.cancel, name="backbone_cancel"),
    path("backbones/<int:pk>/remove", custom_backbones.remove, name="backbone_remove"),
    # uploads
    path("projects/<slug:slug>/uploads/start", uploads.start, name="upload_start"),
    path("projects/<slug:slug>/uploads/plan", uploads.plan, name="upload_plan"),
    path("projects/<slug:slug>/uploads/archive", uploads.archive, name="upload_archive"),
    path("projects/<slug:slug>/uploads/", uploads.index, name="uploads"),
    path("projects/<slug:slug>/uploads/<int:pk>/", uploads.detail, name="upload"),
    path("projects/<slug:slug>/uploads/<int:pk>/answer", uploads.answer, name="upload_answer"),
    path("projects/<slug:slug>/uploads/<int:pk>/picture", uploads.picture, name="upload_picture"),
    path("projects/<slug:slug>/uploads/<int:pk>/known", uploads.report_known, name="upload_known"),
    path("projects/<slug:slug>/uploads/<int:pk>/report.csv", uploads.report, name="upload_report"),
    # training
    path("projects/<slug:slug>/train/", train.train, name="train"),
    path("projects/<slug:slug>/train/tuning-time", train.tuning_time, name="tuning_time"),
    path("projects/<slug:slug>/jobs/", job.index, name="jobs"),
    path("projects/<slug:slug>/jobs/<int:number>/", job.detail, name="job"),
    path("projects/<slug:slug>/jobs/<int:number>/part", job.part, name="job_part"),
    path("projects/<slug:slug>/jobs/<int:number>/event-files", job.download_event_files, name="job_event_files"),
    path("projects/<slug:slug>/jobs/<int:number>/tensorboard/", tensorboard.board, name="job_tensorboard"),
    path(
        "projects/<slug:slug>/jobs/<int:number>/tensorboard/<path:rest>",
        tensorboard.board,
        name="job_tensorboard_part",
    ),
    path("projects/<slug:slug>/jobs/<int:number>/cancel", job.cancel, name="job_cancel"),
    # versions and answers
    path("projects/<slug:slug>/versions/", versions.index, name="versions"),
    path("projects/<slug:slug>/versions/import", custom_backbones.import_version, name="version_import"),
    path(
        "projects/<slug:slug>/versions/<int:number>/reimport",
        custom_backbones.reimport_version,
        name="version_reimport",
    ),
    path("projects/<slug:slug>/versions/<int:number>/", versions.detail, name="version"),
    path("projects/<slug:slug>/versions/<int:number>/cell", versions.cell, name="version_cell"),
    path("projects/<slug:slug>/versions/<int:number>/promote", versions.promote, name="promote"),
    path("projects/<slug:slug>/versions/<int:number>/exports/<slug:format>", exports.download, name="version_download"),
    path(
        "projects/<slug:slug>/versions/<int:number>/exports/<slug:format>/make", exports.export, name="version_export"
    ),
    path("projects/<slug:slug>/versions/<int:number>/public-link", hub.create_link, name="version_link"),
    path("projects/<slug:slug>/versions/<int:number>/public-link/revoke", hub.revoke_link, name="version_link_revoke"),
    path("hub/backbones/<str:name>/<int:number>", hub.backbone, name="hub_backbone"),
    path("hub/<slug:slug>/<slug:name>", hub.version, name="hub_version"),
    path("projects/<slug:slug>/classify/", predict.classify, name="classify"),
    re_path("^api(?:/|$)", not_found),
]
