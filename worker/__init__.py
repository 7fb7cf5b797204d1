"""The Celery side: one file a kind of job, fetched, claimed, called and recorded."""
