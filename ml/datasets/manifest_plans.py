"""Make the plan of a download of this site, or of another: its manifest leaves nothing to ask."""

import unicodedata

from ml.datasets import readings
from ml.datasets.class_names import MAX_CLASS_NAME_LENGTH, BadClassName, clean_label, has_control
from ml.datasets.entries import ArchiveMember
from ml.datasets.evidence import Evidence
from ml.datasets.manifests import LEFT_OUT, Manifest, ManifestLine
from ml.datasets.plan import USED, LeftOut, Plan, Verdict, collect_left_out, count_classes, count_splits
from ml.datasets.plan_warnings import describe_result
from ml.datasets.readings import Layout


def plan_manifest(evidence: Evidence, manifest: Manifest) -> Plan:
    """Return the plan. Pictures that somebody has added to a folder are like those that lie there."""
    members = evidence.listing.members
    verdicts = [
        Verdict(reason=USED if _is_ours(member, manifest) else evidence.reasons.get(place))
        for place, member in enumerate(members)
    ]
    strange = 0
    for place in evidence.pictures:
        line = manifest.lines.get(place) or manifest.folders.get(members[place].folders)
        strange += line is None
        verdicts[place] = _verdict(line, evidence.layout) if line else Verdict()
    unlabelled = sum(1 for verdict in verdicts if verdict.class_name is None and verdict.reason is None)
    left_out = _collect_left_out(evidence, manifest, verdicts)
    plan = Plan(evidence.layout, verdicts, count_classes(verdicts), count_splits(verdicts), unlabelled, left_out)
    plan.warnings = [f"Classes, splits and groups are those in “{manifest.name}”.", *describe_result(plan)]
    if strange:
        plan.warnings.append(f"Pictures that “{manifest.name}” does not name, in no folder that it names: {strange:,}.")
    return plan


def _is_ours(member: ArchiveMember, manifest: Manifest) -> bool:
    return member.name == manifest.name or member.last == LEFT_OUT


def _verdict(line: ManifestLine, layout: Layout) -> Verdict:
    try:
        label = line.label if not line.label or _was_a_name(line.label) else clean_label(line.label)
    except BadClassName as error:
        return Verdict(reason=f"The name of its class {error}")
    split = "" if layout.keep is False else line.split
    group = "" if layout.groups == readings.NO_GROUPS else line.group
    return Verdict(label or None, split, group, None, line.file_name)


def _was_a_name(label: str) -> bool:
    """Return whether a class can be called so as it is; other labels are cleaned as the names of folders are."""
    is_text = not any("\ud800" <= character <= "\udfff" for character in label) and not has_control(label)
    return is_text and len(label) <= MAX_CLASS_NAME_LENGTH and label == unicodedata.normalize("NFC", label).strip()


def _collect_left_out(evidence: Evidence, manifest: Manifest, verdicts: list[Verdict]) -> list[LeftOut]:
    missing = LeftOut(f"“{manifest.name}” names it, but it is not there.")
    for path in manifest.missing:
        missing.add(path)
    named = ((member.name, verdict) for member, verdict in zip(evidence.listing.members, verdicts, strict=True))
    return collect_left_out(named, evidence.listing.litter, [missing] if missing.count else [])
