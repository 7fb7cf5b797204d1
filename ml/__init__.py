"""Provide the computing code: plain data in, plain data out, without Django or Celery."""
