"""The pictures that look most like one, by the vectors of the last audit."""

import threading

import numpy as np
from cachetools import LRUCache

from classifier.models import Audit, Project
from classifier.services.audit_files import AuditArrays, AuditUnreadable, load_audit_file

MOST = 500  # pictures that are told for one
_HELD = 2  # files in the memory of a process, 26 MB for 100,000 pictures
_lock = threading.Lock()
_held: LRUCache[str, AuditArrays] = LRUCache(_HELD)


def list_similar(project: Project, sample_id: int, most: int = MOST) -> list[int]:
    """List the ids of the samples that look most like one, itself first; none if the last audit did not see it."""
    audit = Audit.objects.filter(project=project).first()
    if audit is None:
        return []
    try:
        arrays = _load(audit)
    except AuditUnreadable:
        return []
    place = int(np.searchsorted(arrays.samples, sample_id))
    if place == len(arrays.samples) or arrays.samples[place] != sample_id:
        return []
    cosines = arrays.vectors.astype(np.float32) @ arrays.vectors[place].astype(np.float32)
    cosines[place] = np.inf
    nearest = np.argpartition(-cosines, min(most, len(cosines)) - 1)[:most]
    return [int(pk) for pk in arrays.samples[nearest[np.argsort(-cosines[nearest], kind="stable")]]]


def _load(audit: Audit) -> AuditArrays:
    with _lock:  # two requests must not both read what is large
        if audit.digest not in _held:
            _held[audit.digest] = load_audit_file(audit)
        return _held[audit.digest]
