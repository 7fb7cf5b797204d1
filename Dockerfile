# One image for every role: web, workers, reaper and the preparation differ by their command only.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    POETSWEB_DATA=/data

# The packages first: they change seldom, and this layer is nearly all of the image.
# --no-deps: the lists are complete (see requirements.overrides). With the extra s3, as the files may be in a bucket.
COPY requirements.txt requirements-s3.txt /tmp/
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes \
    -r /tmp/requirements.txt -r /tmp/requirements-s3.txt

# A volume that is mounted on /data takes over the folder's owner.
RUN useradd --uid 10001 --create-home poetsweb && install --directory --owner=poetsweb --group=poetsweb /data

WORKDIR /app
COPY manage.py .env.example ./
COPY ml ./ml
COPY worker ./worker
COPY poetsweb ./poetsweb
COPY classifier ./classifier

USER poetsweb
EXPOSE 8000
CMD ["gunicorn", "poetsweb.wsgi", "-c", "python:poetsweb.gunicorn", "--bind", "0.0.0.0:8000"]
