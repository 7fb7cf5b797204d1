"""Turn the labels of the chosen reading into the plan: clean class names, splits, groups, warnings and questions."""

from collections import Counter
from dataclasses import replace

from ml.datasets import readings
from ml.datasets.class_names import BadClassName, clean_label, find_twins, has_invisible
from ml.datasets.evidence import Evidence, Listing
from ml.datasets.file_names import PICTURE, kind_of_file, match_pattern
from ml.datasets.folders import Level
from ml.datasets.groups import clean_group, group_by_name
from ml.datasets.names import split_name
from ml.datasets.plan import (
    Option,
    Plan,
    Question,
    Verdict,
    collect_left_out,
    count_classes,
    count_splits,
    show_some,
)
from ml.datasets.planning import (
    SEVERAL_CLASSES,
    Labels,
    choose_labels,
    left_out_by_tables,
)
from ml.datasets.readings import NO_GROUPS, Layout
from ml.datasets.splits import TRAINING
from ml.datasets.vocabulary import is_occasion

_MOST_NAMED = 5  # classes in a sentence


def make_plan(listing: Listing, layout: Layout = Layout()) -> Plan:  # noqa: B008 - it is frozen
    """Return the plan for the files of a listing. Raise `BadLayout` if the layout names a table that is not there."""
    asked = Evidence(listing, layout)
    found = choose_labels(asked)
    _check_table(asked)
    evidence = found.evidence or asked
    verdicts = _verdicts(evidence, found)
    merged, twins = _merge_twins(verdicts, layout.merge)
    plan = _count(evidence, found, merged)
    plan.warnings += [*found.warnings, *_warn(evidence, plan), *twins]
    plan.questions += _ask(asked, found, merged, twins)
    return plan


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
    """Give a group to the pictures that have none and whose names tell one, such as that of their video."""
    by_class: dict[str, list[int]] = {}
    for place in evidence.pictures:
        if verdicts[place].class_name is not None and not verdicts[place].group:
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
    sentences = [f"The class names {_list_names(names)} look alike." for names in twins]
    if not merge or not twins:
        return verdicts, sentences
    main = {name: max(names, key=lambda name: counts[name]) for names in twins for name in names}
    renamed = {name: f"Classes whose names look alike are one: “{kept}”." for name, kept in main.items()}
    merged = [v._replace(class_name=main[v.class_name]) if v.class_name in main else v for v in verdicts]
    return merged, sorted(set(renamed.values()))


def _count(evidence: Evidence, found: Labels, verdicts: list[Verdict]) -> Plan:
    asked = evidence.layout
    chosen = replace(found.reading, merge=asked.merge, keep=asked.keep, encoding=asked.encoding, groups=asked.groups)
    unlabelled = sum(1 for verdict in verdicts if verdict.class_name is None and verdict.reason is None)
    named = zip((member.name for member in evidence.listing.members), verdicts, strict=True)
    used = set(evidence.tables.names) if found.reading.reading == readings.TABLE else set()
    shown = ((name, verdict) for name, verdict in named if name not in used)
    left_out = collect_left_out(shown, evidence.listing.litter, left_out_by_tables(evidence.tables))
    return Plan(chosen, verdicts, count_classes(verdicts), count_splits(verdicts), unlabelled, left_out)


# Warnings


def _warn(evidence: Evidence, plan: Plan) -> list[str]:
    return [
        sentence
        for sentence in (
            _warn_of_single_pictures(plan),
            _warn_of_invisible(evidence),
            _warn_of_splits(plan),
            _tell_of_groups(plan),
            _warn_of_unlabelled(plan),
            *(f"The column “{name}” has no splits that are known." for name in evidence.tables.unread_splits),
            *(f"“{name}” names none of the pictures." for name in _useless_tables(evidence, plan)),
        )
        if sentence
    ]


def _list_names(names: list[str]) -> str:
    shown = ", ".join(f"“{name}”" for name in names[:_MOST_NAMED])
    return f"{shown} and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else shown


def _warn_of_single_pictures(plan: Plan) -> str:
    single = [name for name, count in plan.classes.items() if count == 1]
    if not single:
        return ""
    if len(single) == 1:
        return f"The class {_list_names(single)} has only one picture."
    return f"The classes {_list_names(single)} have only one picture each."


def _warn_of_invisible(evidence: Evidence) -> str:
    odd = sorted({name for folders in evidence.counts for name in folders if has_invisible(name)})
    return f"Characters that nobody sees were taken out of {len(odd)} folder name{'s'[: len(odd) - 1]}." if odd else ""


def _warn_of_splits(plan: Plan) -> str:
    given = {split: count for split, count in plan.splits.items() if count}
    if not given:
        return ""
    said = ", ".join(f"{count:,} for {split}" for split, count in given.items())
    missing = [split for split in plan.splits if not plan.splits[split]]
    if TRAINING in given and missing:
        wanted = " and ".join(missing)
        return f"The splits given are kept ({said}); those for {wanted} are chosen among the ones for training."
    return f"The splits given are kept: {said}."


def _tell_of_groups(plan: Plan) -> str:
    groups = Counter(verdict.group for verdict in plan.verdicts if verdict.group and verdict.reason is None)
    if not groups:
        return "No picture is in a group that was asked for." if plan.layout.groups not in ("", NO_GROUPS) else ""
    number, names = sum(groups.values()), _list_names(sorted(groups)[:2])
    return (
        f"{number:,} pictures are in {len(groups):,} group{'s'[: len(groups) - 1]} of the same thing, such as {names};"
        " a group is never dealt into two splits."
    )


def _warn_of_unlabelled(plan: Plan) -> str:
    if not plan.unlabelled:
        return ""
    return f"{plan.unlabelled:,} picture{'s' if plan.unlabelled > 1 else ''} without a class."


def _useless_tables(evidence: Evidence, plan: Plan) -> list[str]:
    """List the tables that name none of the pictures, if folders do not say all."""
    named = (
        evidence.tables.useless if plan.layout.reading in (readings.NAME, readings.UNLABELLED, readings.TABLE) else []
    )
    return [name for name in named if kind_of_file(name) != PICTURE][:_MOST_NAMED]


# Questions


def _ask(evidence: Evidence, found: Labels, verdicts: list[Verdict], twins: list[str]) -> list[Question]:
    questions = []
    if found.doubt:
        options = [Option(str(layout), title, _try(evidence, layout)) for layout, title in found.others]
        options = [option for option in options if option.classes or not option.layout.startswith(f"{readings.TABLE}:")]
        questions.append(Question("layout", found.doubt, options))
    layout = evidence.layout
    if twins and layout.merge is None:
        questions.append(_ask_about_twins(layout, verdicts, twins))
    if (asked := _ask_about_splits(layout, verdicts)) is not None:
        questions.append(asked)
    return questions


def _try(evidence: Evidence, layout: Layout) -> dict[str, int]:
    """Return the classes that another reading would give."""
    other = evidence.like(layout)
    return show_some(count_classes(_verdicts(other, choose_labels(other))))


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
