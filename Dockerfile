# One image for every role: web, workers, reaper and the preparation differ by their command only. For x86-64 and ARM:
# docker buildx build --platform linux/amd64,linux/arm64 .
FROM python:3.12-slim

# cpu, or gpu for a trainer that fine-tunes on an NVIDIA card (x86-64): docker build --build-arg TENSORFLOW=gpu .
ARG TENSORFLOW=cpu

# HOME for whatever user it runs as; the root of the container may be read-only. Workers do not load every page to check
# the code, which has been checked.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    TF_FORCE_GPU_ALLOW_GROWTH=true \
    CELERY_SKIP_CHECKS=1 \
    POETSWEB_DATA=/data

# The packages first: they change seldom, and this layer is nearly all of the image.
# --no-deps: the lists are complete (see requirements.overrides). With the extra s3, as the files may be in a bucket.
COPY requirements.txt requirements-s3.txt requirements-gpu.txt /tmp/
RUN install="pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes"; \
    $install -r /tmp/requirements.txt -r /tmp/requirements-s3.txt && \
    if [ "$TENSORFLOW" = gpu ]; then pip uninstall --yes tensorflow-cpu && $install -r /tmp/requirements-gpu.txt; fi

# A volume that is mounted on one of these takes over the folder's owner. Any user may run it: one without an entry in
# /etc/passwd is in group 0, as Kubernetes and OpenShift do it, and may write there, too. PostgreSQL and Redis, which are other users in no such group, read their passwords.
RUN useradd --uid 10001 --gid 0 --no-create-home poetsweb && \
    install --directory --owner=10001 --group=0 --mode=0770 /data && \
    install --directory --owner=10001 --group=0 --mode=0775 /passwords

WORKDIR /app
COPY manage.py .env.example ./
COPY ml ./ml
COPY worker ./worker
COPY poetsweb ./poetsweb
COPY classifier ./classifier

USER 10001:0
EXPOSE 8000
CMD ["gunicorn", "poetsweb.wsgi", "-c", "python:poetsweb.gunicorn", "--bind", "0.0.0.0:8000"]
