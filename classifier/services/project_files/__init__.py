"""A whole project as one file, which another site brings in: its pictures, its history and its versions.

The file is a zip whose entries are stored as they are, so that it cannot become larger than it is. `manifest.json` is
written last and names every other entry with its sha256; a file without one was interrupted.

    pictures/SHA256     the pictures
    files/PATH          datasets, artifacts, event files and custom backbones, as the storage has them
    rows/TABLE.jsonl    the rows of a table, one a line; the first line has the names of the columns

Rows keep the ids of the site that wrote them, to name each other by. They get new ones where they are brought in, also
where files have them: so dataset versions and artifacts are written anew there, with digests of their own.
"""
