"""The computing: plain data in, plain data out. Knows neither Django nor Celery."""
