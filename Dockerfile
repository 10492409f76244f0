# The service and the bundle it answers with: no training library, no root, nothing to download at start.
ARG BASE=python:3.11-slim
FROM ${BASE} AS build
WORKDIR /build
RUN python -m venv /venv
COPY requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip /venv/bin/pip install --require-hashes -r requirements.txt
COPY slipway.yaml ./
COPY src src
COPY artifacts artifacts
# Only the bundle that the pointer names goes on, and only when it is sound.
RUN PYTHONPATH=src /venv/bin/python -m slipway.bake artifacts /release \
    && rm -rf /venv/lib/python3*/site-packages/pip /venv/lib/python3*/site-packages/setuptools /venv/bin/pip* \
    && /venv/bin/python -m compileall -q src

FROM ${BASE}
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PORT=8080
WORKDIR /app
RUN useradd --system --uid 10001 --no-create-home slipway
COPY --from=build /venv /venv
COPY --from=build /build/src src
COPY --from=build /release artifacts
COPY app.py gunicorn.conf.py slipway.yaml ./
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=2)"]
CMD ["gunicorn", "app:app"]
