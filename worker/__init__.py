"""Run the jobs with Celery; each kind of job has a file with the function that does it."""
