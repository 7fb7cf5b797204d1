"""Dataset versions and model versions with the ids that classes have here, in their rows and in their files."""

import re
from typing import Any

from classifier.models import DatasetVersion, ModelVersion
from classifier.services.artifacts import artifact_path
from classifier.services.datasets import DatasetCorrupt, renumber_dataset
from classifier.services.model_versions import fingerprint_of, fingerprint_of_import
from classifier.services.portable.checks import hash_bytes
from classifier.services.project_files.manifest import ProjectFileRefused
from classifier.services.project_files.opening import ProjectFile, damaged
from classifier.services.project_files.storing import is_sha256, keep
from classifier.services.project_files.tables import TABLES
from classifier.services.project_files.writing import Ids, Row, wrong
from ml.backbones.registry import is_known
from ml.datasets.splits import SPLITS
from ml.training.artifacts import Artifact, ArtifactCorrupt, read_artifact, renumber_classes
from ml.training.config import ConfigError, parse_config
from ml.training.pipeline import IMPORTED

_ELSEWHERE = re.compile(r"(stopped|superseded) (?:elsewhere )?\d+")  # fingerprints that nothing gives again


class VersionLoader:
    """Writes the files of versions anew, and gives their rows the digests of those.

    Args:
        paths: takes the paths of the files, which are synced later.
    """

    def __init__(self, file: ProjectFile, ids: Ids, paths: list[str]) -> None:
        self._file, self._ids, self._paths = file, ids, paths
        self._digests: dict[str, str] = {}  # of datasets: the new ones by the old ones
        self._datasets: dict[int, str] = {}  # the old digests by the old ids of their rows
        self._classes_of: dict[str, list[int]] = {}  # the old ids of classes, by the old digests

    def dataset(self, row: Row) -> Row:
        """Return the row of a dataset version, whose file is there."""
        old = row["digest"]
        if not is_sha256(old):
            raise wrong(TABLES["dataset_versions"], "digest")
        content = self._file.read_file(DatasetVersion(digest=old).path)
        if hash_bytes(content) != old:
            raise damaged(f"files/{DatasetVersion(digest=old).path}")
        try:
            content, counts = renumber_dataset(content, self._classes)
        except (KeyError, DatasetCorrupt):
            raise damaged(f"files/{DatasetVersion(digest=old).path}") from None
        digest = hash_bytes(content)
        self._keep(DatasetVersion(digest=digest).path, content)
        self._digests[old], self._datasets[row["id"]] = digest, old
        self._classes_of[old] = [pk for pk, _ in row["classes"]]
        return {
            **row,
            "digest": digest,
            "classes": self._renumber(row["classes"]),
            "counts": counts,
            "given": _given(row),
        }

    def _renumber(self, classes: list[Any]) -> list[list[Any]]:
        return [[self._classes[pk], str(name)] for pk, name in classes]

    @property
    def _classes(self) -> dict[int, int]:
        return self._ids["classes"]

    def version(self, row: Row) -> Row:
        """Return the row of a model version, whose artifact is there."""
        config, old = row["config"], row["artifact_digest"]
        if not is_sha256(old) or not _is_config(config) or not is_known(row["backbone"]):
            raise wrong(TABLES["model_versions"], "config")
        dataset = self._datasets[row["dataset_version_id"]]
        try:
            artifact = read_artifact(old, lambda name: self._read(old, name))
            digest, files = renumber_classes(
                old, lambda name: self._read(old, name), self._classes, self._digests[dataset]
            )
            ModelVersion(metrics=row["metrics"]).accuracy  # noqa: B018 - pages show it
            if [pk for pk, _ in artifact.classes] != self._classes_of[dataset]:
                raise ValueError("Its classes are not those of the dataset version.")
        except (ArtifactCorrupt, KeyError, TypeError, ValueError):
            raise damaged(f"the artifact of version {row['number']}") from None
        for name, data in files.items():
            self._keep(artifact_path(digest, name), data)
        return {**row, "artifact_digest": digest, "fingerprint": self._fingerprint(row, dataset, artifact)}

    def _read(self, digest: str, name: str) -> bytes:
        path = artifact_path(digest, name)
        if path not in self._file.manifest.files:
            raise FileNotFoundError(path)
        return self._file.read_file(path)

    def _keep(self, path: str, data: bytes) -> None:
        keep(path, data)
        self._paths.append(path)

    def _fingerprint(self, row: Row, dataset: str, artifact: Artifact) -> str:
        """Return the fingerprint that the version has here, by which training again finds it.

        One that this program would not have given is kept: training again makes another version, as it did there.
        """
        old, new, config = row["fingerprint"], self._digests[dataset], row["config"]
        if found := _ELSEWHERE.fullmatch(old):
            return f"{found[1]} elsewhere {row['number']}"
        if config["recipe"] == IMPORTED:
            same = fingerprint_of_import(dataset, row["backbone"]) == old
            return fingerprint_of_import(new, row["backbone"]) if same else old
        try:
            known = parse_config(config)
        except ConfigError:
            raise ProjectFileRefused(
                f"Version {row['number']} was trained with settings that this program does not know. "
                "Upgrade the site that the file is from, and write it again."
            ) from None
        negative = sorted(artifact.classes[place][0] for place in artifact.rejection.others)
        here = sorted(self._classes[pk] for pk in negative)
        backbone = self._file.manifest.backbones.get(known.backbone, "")
        same = fingerprint_of(dataset, known, backbone=backbone, negative=negative) == old
        return fingerprint_of(new, known, backbone=backbone, negative=here) if same else old


def _is_config(config: Any) -> bool:
    return isinstance(config, dict) and all(isinstance(config.get(name), str) for name in ("recipe", "backbone"))


def _given(row: Row) -> dict[str, int]:
    return {split: int(count) for split, count in row["given"].items() if split in SPLITS}
