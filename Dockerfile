# syntax=docker/dockerfile:1
FROM python:3.13-slim AS build
COPY requirements/base.txt /requirements.txt
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --disable-pip-version-check \
    --require-hashes --only-binary :all: -r /requirements.txt

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BALSYNC_NO_BOOTSTRAP=1 \
    DJANGO_SETTINGS_MODULE=balsync_project.settings
WORKDIR /app
COPY --from=build /venv /venv
COPY . .
# Nothing of these reaches a running container: collecting only has to read settings.
RUN BALSYNC_COLLECTING=1 SECRET_KEY=build CREDENTIAL_KEYS=build: \
    BALSYNC_INSTALLATION_ID=00000000-0000-4000-8000-000000000000 \
    DATABASE_URL=postgres://build@/build \
    python manage.py collectstatic --noinput --verbosity 0 \
 && python -m compileall -q accounts automation balsync_project providers
USER 10001:10001
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--no-ws", "--host", "0.0.0.0", "--port", "8000", \
     "--workers", "2", "--blocking-threads", "8", "balsync_project.wsgi:application"]
