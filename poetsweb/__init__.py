"""The Django project. Nothing is imported here: commands that need no site begin at once."""
