"""The nouns, in the order of the flow: upload -> samples -> dataset version -> embeddings -> model version -> alias."""

from classifier.models.account import Account, UserSession
from classifier.models.alias import Alias
from classifier.models.api_key import ApiKey
from classifier.models.audit import Audit, Finding, SampleAudit
from classifier.models.audit_entry import AuditEntry
from classifier.models.candidate import Candidate
from classifier.models.change import Change, SampleChange
from classifier.models.contribution import Contribution
from classifier.models.custom_backbone import CustomBackbone
from classifier.models.dataset_version import DatasetVersion
from classifier.models.embedding import Embedding
from classifier.models.embedding_shard import EmbeddingShard
from classifier.models.evaluation_summary import EvaluationSummary
from classifier.models.export import Export
from classifier.models.external_identity import ExternalIdentity
from classifier.models.image import Image
from classifier.models.image_class import ImageClass
from classifier.models.image_measures import ImageMeasures
from classifier.models.invitation import Invitation
from classifier.models.job import Job
from classifier.models.job_log_line import JobLogLine
from classifier.models.mail_request import MailRequest
from classifier.models.membership import Membership
from classifier.models.model_version import ModelVersion
from classifier.models.partial_upload import PartialUpload
from classifier.models.passkey import Passkey
from classifier.models.project import Project
from classifier.models.public_link import PublicLink
from classifier.models.purged_picture import PurgedPicture
from classifier.models.recovery_code import RecoveryCode
from classifier.models.sample import Sample
from classifier.models.set_up_code import SetUpCode
from classifier.models.share_link import ShareLink
from classifier.models.sign_up import SignUp
from classifier.models.site_value import SiteValue
from classifier.models.stage_time import StageTime
from classifier.models.sweep import Sweep
from classifier.models.team import Team
from classifier.models.upload import Upload, UploadItem
from classifier.models.webhook import Delivery, MailWish, Webhook

__all__ = [
    "Account",
    "Alias",
    "ApiKey",
    "Audit",
    "AuditEntry",
    "Candidate",
    "Change",
    "Contribution",
    "CustomBackbone",
    "DatasetVersion",
    "Delivery",
    "Embedding",
    "EmbeddingShard",
    "EvaluationSummary",
    "Export",
    "ExternalIdentity",
    "Finding",
    "Image",
    "ImageClass",
    "ImageMeasures",
    "Invitation",
    "Job",
    "JobLogLine",
    "MailRequest",
    "MailWish",
    "Membership",
    "ModelVersion",
    "PartialUpload",
    "Passkey",
    "Project",
    "PublicLink",
    "PurgedPicture",
    "RecoveryCode",
    "Sample",
    "SampleAudit",
    "SampleChange",
    "SetUpCode",
    "ShareLink",
    "SignUp",
    "SiteValue",
    "StageTime",
    "Sweep",
    "Team",
    "Upload",
    "UploadItem",
    "UserSession",
    "Webhook",
]
