# The service and the bundle it answers with: no training library, no root, nothing to download at start.
# Named once, and not through an ARG: Dependabot reads FROM alone. Slipway's docs/release.md says how to pin its digest.
FROM python:3.11-slim AS base

# Only the bundle that the pointer names goes in, and only when it is sound.
FROM base AS champion
WORKDIR /build
COPY artifacts artifacts
WORKDIR /app
COPY app.py gunicorn.conf.py slipway.yaml ./
COPY src src
RUN PYTHONPATH=src python -m slipway.store.bake /build/artifacts artifacts \
    && python -m compileall -q . \
    && chmod -R a+rX .

FROM base AS libraries
WORKDIR /build
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt \
    && rm -rf /venv/lib/python3*/site-packages/pip /venv/lib/python3*/site-packages/setuptools /venv/bin/pip*

# Only for serving.offline: the runtime that a browser needs, from the npm registry or a mirror of it.
FROM libraries AS app
WORKDIR /app
COPY --from=champion /app .
ARG NPM_CONFIG_REGISTRY
RUN PYTHONPATH=src /venv/bin/python -m slipway.serving.offline.fetch_runtime

FROM base
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PORT=8080 ORT_DISABLE_TELEMETRY=1
WORKDIR /app
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin slipway
COPY --from=libraries /venv /venv
COPY --from=app /app .
# What SageMaker and AWS Lambda start: docker run IMAGE serve, docker run IMAGE lambda.
RUN printf '#!/bin/sh\ncd /app && PYTHONPATH=/app/src exec python -m slipway.serving.sagemaker\n' > /usr/local/bin/serve \
    && sed s/sagemaker/lambda_runtime/ /usr/local/bin/serve > /usr/local/bin/lambda \
    && chmod 755 /usr/local/bin/serve /usr/local/bin/lambda
# Only heroku.yaml gives it. A box names the commit when it starts a release: one image may serve many commits.
ARG SLIPWAY_COMMIT
ENV SLIPWAY_COMMIT=$SLIPWAY_COMMIT
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=2)"]
CMD ["gunicorn", "app:app"]
