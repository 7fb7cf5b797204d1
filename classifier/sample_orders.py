"""The orders of samples, as data. Each field that they are sorted by has an index that begins with the project."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Sort:
    """An order of samples: by a field and then by id, in the same direction."""

    name: str
    title: str
    field: str = ""  # of the sample, or of its audit; by the id alone without one
    descending: bool = False

    @property
    def by_audit(self) -> bool:
        """Return whether samples that no audit has seen have no place in it."""
        return self.field.startswith("audit__")

    def reversed(self) -> "Sort":
        return replace(self, descending=not self.descending)


SORTS = {
    sort.name: sort
    for sort in (
        Sort("newest", "Newest first", descending=True),
        Sort("oldest", "Oldest first"),
        Sort("name", "File name", "name_start"),
        Sort("unsure", "Least certain first", "audit__uncertainty", descending=True),
        Sort("sure", "Most certain first", "audit__confidence", descending=True),
        Sort("odd", "Most unusual first", "audit__outlier_score", descending=True),
    )
}
