"""Turn the labels of the chosen reading into the plan: clean class names, splits, groups, warnings and questions."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ml.datasets import readings
from ml.datasets.class_levels import Level
from ml.datasets.class_names import BadClassName, clean_label, find_twins
from ml.datasets.entries import ArchiveMember
from ml.datasets.evidence import Evidence, Listing
from ml.datasets.file_names import VIDEO, kind_of_file, match_pattern
from ml.datasets.groups import clean_group, group_by_name
from ml.datasets.manifest_plans import plan_manifest
from ml.datasets.manifests import read_manifest
from ml.datasets.names import split_name
from ml.datasets.plan import (
    USED,
    Option,
    Plan,
    Question,
    Verdict,
    collect_left_out,
    count_classes,
    count_splits,
    show_some,
)
from ml.datasets.plan_warnings import list_names, list_warnings
from ml.datasets.planning import (
    Labels,
    choose_labels,
)
from ml.datasets.readings import Layout
from ml.datasets.splits import TRAINING
from ml.datasets.vocabulary import is_occasion
from ml.datasets.web_pictures import SEVERAL_CLASSES, plan_web_pictures


def make_plan(listing: Listing, layout: Layout = Layout()) -> Plan:  # noqa: B008 - it is frozen
    """Return the plan for the files of a listing. Raise `BadLayout` if the layout names a table that is not there."""
    asked = Evidence(listing, layout)
    if layout.reading == readings.AUTO and (manifest := read_manifest(asked)) is not None:
        return plan_manifest(asked, manifest)
    found = choose_labels(asked)
    _check_table(asked)
    evidence = found.evidence or asked
    web = _plan_web(evidence)
    merged, twins = _merge_twins([*_verdicts(evidence, found), *web.values()], layout.merge)
    plan = _count(evidence, found, merged, list(web))
    plan.warnings += [*found.warnings, *list_warnings(evidence, plan), *twins]
    plan.questions += _ask(asked, found, merged, twins)
    return plan


def _plan_web(evidence: Evidence) -> dict[str, Verdict]:
    found = plan_web_pictures(evidence.tables.to_fetch, evidence.layout)
    labelled = {address: verdict for address, verdict in found.items() if verdict.class_name is not None}
    cleaned = {address: _verdict(v.class_name or "", v.split, v.group, v.reason) for address, v in labelled.items()}
    return found | cleaned


def _check_table(evidence: Evidence) -> None:
    if evidence.layout.reading == readings.TABLE and not evidence.tables.labels and not evidence.tables.to_fetch:
        wanted = evidence.layout.argument
        named = f" called {wanted[:100]!r}" if wanted else ""
        raise readings.BadLayout(f"There is no table{named} that gives classes to the pictures.")


def _verdicts(evidence: Evidence, found: Labels) -> list[Verdict]:
    """Return the verdict on each file of the listing."""
    known: dict[tuple[str, str, str, str | None], Verdict] = {}  # thousands of files share a few
    verdicts = [Verdict(reason=evidence.reasons.get(place)) for place in range(len(evidence.listing.members))]
    by_table = found.reading.reading == readings.TABLE
    groups = _chosen_groups(evidence)
    for picture, place in enumerate(evidence.pictures):
        facts = evidence.places[picture]
        reason = facts.reason or None
        if by_table and len(evidence.tables.labels.get(picture, ())) > 1:
            reason = SEVERAL_CLASSES
        split = "" if evidence.layout.keep is False else evidence.split(picture)
        group = _group(facts.chain, found.labels[picture]) if groups is None else groups[picture]
        key = (found.labels[picture], split, group, reason)
        if key not in known:
            known[key] = _verdict(*key)
        verdicts[place] = known[key]
    if groups is None:
        _add_groups_of_names(evidence, verdicts)
    return verdicts


def _chosen_groups(evidence: Evidence) -> list[str] | None:
    """Return the group of each picture as somebody has chosen it; None if nobody has."""
    chosen, count = evidence.layout.groups, len(evidence.pictures)
    kind, _, number = chosen.partition(":")
    if not chosen:
        return None
    if chosen == readings.NO_GROUPS:
        return [""] * count
    if kind == readings.FOLDER:
        found = evidence.by_level(Level(int(number) - 1))
    else:
        found = [match_pattern(chosen, evidence.name(picture), readings.GROUP_MARK) for picture in range(count)]
    return [clean_group(group) for group in found]


def _add_groups_of_names(evidence: Evidence, verdicts: list[Verdict]) -> None:
    """Give a group to the pictures that have none and whose names tell one, such as that of their video.

    Each video is a group of its own, whatever it is called.
    """
    by_class: dict[str, list[int]] = {}
    for place in evidence.pictures:
        is_video = kind_of_file(evidence.listing.members[place].last) == VIDEO
        if verdicts[place].class_name is not None and not verdicts[place].group and not is_video:
            by_class.setdefault(verdicts[place].class_name or "", []).append(place)
    for places in by_class.values():
        groups = group_by_name([_stem(evidence.listing.members[place].name) for place in places])
        for place, group in zip(places, groups, strict=True):
            if group:
                verdicts[place] = verdicts[place]._replace(group=group)


def _stem(name: str) -> str:
    last = split_name(name)[1]
    return last.rpartition(".")[0] or last


def _verdict(label: str, split: str, group: str, reason: str | None) -> Verdict:
    if reason is not None or not label:
        return Verdict(reason=reason)
    try:
        return Verdict(clean_label(label), split, group)
    except BadClassName as error:
        return Verdict(reason=f"The name of its class {error}")


def _group(chain: tuple[str, ...], label: str) -> str:
    """Return the group of a picture: the folders beside its class's that say when it was taken, if there are any."""
    others = [name for name in chain if name != label and is_occasion(name)]
    if not others:
        return ""
    return "/".join([label, *others] if chain[0] == label else others)


def _merge_twins(verdicts: list[Verdict], merge: bool | None) -> tuple[list[Verdict], list[str]]:
    """Merge classes whose names look alike, if that is wanted; also return sentences about those that there are."""
    counts = Counter(verdict.class_name for verdict in verdicts if verdict.class_name is not None)
    twins = find_twins(counts)
    sentences = [f"The class names {list_names(names)} look alike." for names in twins]
    if not merge or not twins:
        return verdicts, sentences
    main = {name: max(names, key=lambda name: counts[name]) for names in twins for name in names}
    renamed = {name: f"Classes whose names look alike are one: “{kept}”." for name, kept in main.items()}
    merged = [v._replace(class_name=main[v.class_name]) if v.class_name in main else v for v in verdicts]
    return merged, sorted(set(renamed.values()))


def _count(evidence: Evidence, found: Labels, verdicts: list[Verdict], addresses: list[str]) -> Plan:
    """Return the plan for verdicts on the files of the listing, and behind them on these addresses."""
    asked = evidence.layout
    reading = found.reading
    if addresses and not evidence.pictures and asked.reading == readings.AUTO:
        reading = asked.read_as(readings.TABLE)
    decided = {name: getattr(asked, name) for name in ("merge", "keep", "encoding", "groups", "frames")}
    chosen = replace(reading, **decided)
    unlabelled = sum(1 for verdict in verdicts if verdict.class_name is None and verdict.reason is None)
    members, listed = evidence.listing.members, len(evidence.listing.members)
    if addresses or found.reading.reading == readings.TABLE:
        _mark_used(verdicts, members, evidence.tables.names)
    named = zip([*(member.name for member in members), *addresses], verdicts, strict=True)
    left_out = collect_left_out(named, evidence.listing.litter, evidence.tables.left_out)
    web = dict(zip(addresses, verdicts[listed:], strict=True))
    counted = count_classes(verdicts), count_splits(verdicts), unlabelled, left_out
    return Plan(chosen, verdicts[:listed], *counted, web=web)


def _mark_used(verdicts: list[Verdict], members: Sequence[ArchiveMember], names: Iterable[str]) -> None:
    used = set(names)
    for place, member in enumerate(members):
        if member.name in used:
            verdicts[place] = Verdict(reason=USED)


def _ask(evidence: Evidence, found: Labels, verdicts: list[Verdict], twins: list[str]) -> list[Question]:
    questions, layout = [], evidence.layout
    if found.doubt:
        options = [Option(str(layout), title, _try(evidence, layout)) for layout, title in found.others]
        options = [option for option in options if option.classes or not option.layout.startswith(f"{readings.TABLE}:")]
        questions.append(Question("layout", found.doubt, options))
    elif evidence.tables.to_fetch and len(evidence.tables.columns[1]) > 1 and layout.reading != readings.TABLE:
        questions.append(_ask_about_columns(evidence))
    if twins and layout.merge is None:
        questions.append(_ask_about_twins(layout, verdicts, twins))
    if (asked := _ask_about_splits(layout, verdicts)) is not None:
        questions.append(asked)
    return questions


def _try(evidence: Evidence, layout: Layout) -> dict[str, int]:
    """Return the classes that another reading would give."""
    other = evidence.like(layout)
    return show_some(count_classes([*_verdicts(other, choose_labels(other)), *_plan_web(other).values()]))


def _ask_about_columns(evidence: Evidence) -> Question:
    """Ask which column of a table of web addresses is the class."""
    table, columns = evidence.tables.columns
    layouts = [(evidence.layout.read_as(readings.TABLE, f"{table}#{column}"), column) for column in columns]
    options = [Option(str(layout), f"The column “{column}”", _try(evidence, layout)) for layout, column in layouts]
    return Question("layout", f"Which column of “{table}” is the class?", options)


def _ask_about_twins(layout: Layout, verdicts: list[Verdict], twins: list[str]) -> Question:
    options = [
        Option(str(replace(layout, merge=merge)), title, show_some(count_classes(_merge_twins(verdicts, merge)[0])))
        for merge, title in ((True, "They are one class"), (False, "They are different classes"))
    ]
    return Question("alike", f"{' '.join(twins[:3])} Are they the same class?", options)


def _ask_about_splits(layout: Layout, verdicts: list[Verdict]) -> Question | None:
    """Ask where nothing is for training: a folder may be called test for another reason."""
    given = {verdict.split for verdict in verdicts if verdict.class_name is not None}
    if layout.keep is not None or not given or given & {"", TRAINING}:
        return None
    only = " and ".join(sorted(given))
    classes = show_some(count_classes(verdicts))
    options = [
        Option(str(replace(layout, keep=True)), f"They are for {only} only", classes),
        Option(str(replace(layout, keep=False)), "Use them as any others, for training too", classes),
    ]
    return Question(
        "splits", f"All pictures with a class are in a folder for {only}. Are they to be kept for that?", options
    )
