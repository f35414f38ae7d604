# The service's image: Python, what [packages] of Pipfile.lock lists, and app/.
#
#     docker build --build-arg APP_VERSION=0.1.0 --tag serviceconnect .
#
# There is no HEALTHCHECK, for ECS ignores it: the health check is the task definition's, with BusyBox's wget, which
# Alpine has. The root file system can be read-only, and nothing listens below port 1024.
# By digest, so that a build is repeatable; `make lock` moves it.
FROM python:3.13-alpine@sha256:2d9aefe2fef018a7eb2c13064c89c71929800fd2e5dccdbf52ea5da5bb8d929a AS base
WORKDIR /srv

FROM base AS builder
RUN pip install --no-cache-dir pipenv==2026.10.3
COPY Pipfile Pipfile.lock ./
RUN PIPENV_VENV_IN_PROJECT=1 pipenv sync

FROM base
ARG APP_VERSION=unknown
# A virtual environment knows its own path, so it has the same one in both stages.
ENV APP_VERSION=${APP_VERSION} \
    PATH=/srv/.venv/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1
COPY --from=builder /srv/.venv .venv
COPY app app
# Python cannot write these files later, and without them a quarter of a core is slow to start.
RUN python -m compileall -q app
USER 10001:10001
EXPOSE 8080
CMD ["python", "-m", "app"]
