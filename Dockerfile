# One image for every process; the command names it: `api`, `terminal-worker`, `migrate`, ... `sandbox` and `terminal`
# are in the target `sandbox` only.

# To build on exactly one image: --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:...
ARG PYTHON_IMAGE=python:3.13-slim
# `otel`: with OpenTelemetry, for traces.
ARG REQUIREMENTS=run
# Labels: the release, the commit, and the address of the repository that you build from.
ARG VERSION=0.1.0
ARG REVISION=
ARG SOURCE=

FROM ${PYTHON_IMAGE} AS dependencies
WORKDIR /src
ARG REQUIREMENTS
COPY requirements/ requirements/
# uv stays in this stage. pip takes it by the lock file's hash, uv the rest.
RUN python -m venv /opt/build \
 && awk '/^[a-z]/ {take = /^uv==/} take' requirements/dev.txt > /opt/uv.txt \
 && /opt/build/bin/pip install -q --no-cache-dir --disable-pip-version-check --require-hashes -r /opt/uv.txt
ENV PATH=/opt/build/bin:$PATH VIRTUAL_ENV=/opt/dependencies UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
RUN uv venv -q --no-managed-python "$VIRTUAL_ENV" \
 && uv pip install -q --require-hashes -r "requirements/$REQUIREMENTS.txt"

# A change of the code rebuilds from here on; the locked dependencies above stay cached.
FROM dependencies AS code
COPY . .
RUN uv pip install -q --no-deps --build-constraints requirements/dev.txt --target /opt/cloud-terminal . \
 && PYTHONPATH=/opt/cloud-terminal "$VIRTUAL_ENV/bin/python" scripts/write_sbom.py > /opt/sbom.cdx.json \
 && mv /opt/sbom.cdx.json /opt/cloud-terminal
RUN cp -a /opt/cloud-terminal /opt/production && rm -r /opt/production/sandbox

FROM ${PYTHON_IMAGE} AS base
# A new volume takes the owner of the folder that it covers: /etc/cloud-terminal... for secrets, data/ for SQLite.
RUN groupadd --gid 10001 cloud-terminal \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/cloud-terminal --shell /usr/sbin/nologin cloud-terminal \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/cloud-terminal/data /etc/cloud-terminal \
    /etc/cloud-terminal-api /etc/cloud-terminal-terminal /etc/cloud-terminal-notifier
# The modules are compiled already and the root file system may be read-only.
ENV PATH=/opt/cloud-terminal/bin:/opt/dependencies/bin:$PATH PYTHONPATH=/opt/cloud-terminal PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/cloud-terminal
USER 10001:10001
ENTRYPOINT ["cloud-terminal"]
CMD ["--help"]
# The two layers of a release: 140 MB that change with the lock file, 3 MB that change with the code.
COPY --from=dependencies /opt/dependencies /opt/dependencies

FROM base AS sandbox
COPY --from=code /opt/cloud-terminal /opt/cloud-terminal
ARG VERSION REVISION SOURCE
LABEL org.opencontainers.image.title="cloud-terminal-sandbox" \
      org.opencontainers.image.description="cloud-terminal with the sandbox: terminal, cash register, gateway, HiPay" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"

FROM base AS production
COPY --from=code /opt/production /opt/cloud-terminal
# Last, since they differ with each build.
ARG VERSION REVISION SOURCE
LABEL org.opencontainers.image.title="cloud-terminal" \
      org.opencontainers.image.description="Open, self-hosted Cloud API for standalone payment terminals" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
