"""Hold the Django project. Nothing is imported here, so that commands that do not need the site start at once."""
