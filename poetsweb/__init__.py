"""The Django project. Importing it makes the Celery app the default one, as `delay` needs."""

from poetsweb.celery import app as celery_app

__all__ = ["celery_app"]
