"""Giving the disk back what SQLite keeps of deleted rows; PostgreSQL does so by itself, as far as it goes."""

import structlog
from django.db import OperationalError, connection

log = structlog.get_logger(__name__)

LEAST_BYTES = 64 * 2**20  # that are worth it
MOST_KEPT = 512 * 2**20  # bytes that are copied while nobody else can write: some seconds


def compact_database(*, ever: bool = False) -> int:
    """Make SQLite's file as small as what is in it, and return how many bytes that gave back.

    Nobody can write meanwhile, so it is done only where most of the file is free and the rest is copied in seconds;
    `ever` does it in any case.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        return 0
    free, kept = _sizes()
    if not ever and (free < LEAST_BYTES or free < kept or kept > MOST_KEPT):
        return 0
    try:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except OperationalError as error:  # somebody writes all the time: another time, then
        log.info("database_not_compacted", error=str(error))
        return 0
    log.info("database_compacted", bytes=free)
    return free


def _sizes() -> tuple[int, int]:
    """Return how many bytes of the file are free, and how many are not."""
    values = []
    for pragma in ("page_size", "freelist_count", "page_count"):
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA {pragma}")
            values.append(int(cursor.fetchone()[0]))
    size, free, pages = values
    return size * free, size * (pages - free)
