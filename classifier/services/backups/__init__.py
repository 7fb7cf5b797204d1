"""Backups of a whole site, in a format that does not depend on its database and its file storage.

A backup is a folder. `manifest.json` is written last and names every other file with its sha256, so a folder without
one is a backup that was interrupted.

    database/LABEL.jsonl   the rows of a table, one a line; the first line has the names of the columns
    files.jsonl            the files that rows name, one a line: path, size, and sha256 or, of a bucket, the ETag
    files/PATH             their content, unless they stay in a bucket
    settings.env           the settings that differ from their defaults, without secrets unless they were asked for
"""
