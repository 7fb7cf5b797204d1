"""The version of the program: of what a process runs, of backups, and of the packages in pyproject.toml."""

VERSION = "0.1.0"
