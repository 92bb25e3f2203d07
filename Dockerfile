# One image for every process; the command names it: `api`, `terminal-worker`, `migrate`, ... `sandbox` and `terminal`
# are in the target `sandbox` only.

# To build on exactly one image: --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:...
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY requirements/ requirements/
# uv stays in this stage. pip takes it by the lock file's hash, uv the rest.
RUN python -m venv /opt/build \
 && awk '/^[a-z]/ {take = /^uv==/} take' requirements/dev.txt > /opt/uv.txt \
 && /opt/build/bin/pip install -q --no-cache-dir --disable-pip-version-check --require-hashes -r /opt/uv.txt
ENV PATH=/opt/build/bin:$PATH VIRTUAL_ENV=/opt/cloud-terminal UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
RUN uv venv -q --no-managed-python "$VIRTUAL_ENV" \
 && uv pip install -q --require-hashes -r requirements/run.txt
# A change of the code rebuilds from here on; the locked dependencies above stay cached.
COPY . .
RUN uv pip install -q --no-deps --build-constraints requirements/dev.txt . \
 && cp -a "$VIRTUAL_ENV" /opt/production && rm -r /opt/production/lib/python3*/site-packages/sandbox

FROM ${PYTHON_IMAGE} AS base
LABEL org.opencontainers.image.title="cloud-terminal" \
      org.opencontainers.image.description="Open, self-hosted Cloud API for standalone payment terminals" \
      org.opencontainers.image.licenses="Apache-2.0"
# A new volume takes the owner of the folder that it covers: /etc/cloud-terminal... for secrets, data/ for SQLite.
RUN groupadd --gid 10001 cloud-terminal \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/cloud-terminal --shell /usr/sbin/nologin cloud-terminal \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/cloud-terminal/data /etc/cloud-terminal \
    /etc/cloud-terminal-api /etc/cloud-terminal-terminal /etc/cloud-terminal-notifier
# The modules are compiled already and the root file system may be read-only.
ENV PATH=/opt/cloud-terminal/bin:$PATH PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/cloud-terminal
USER 10001:10001
ENTRYPOINT ["cloud-terminal"]
CMD ["--help"]

FROM base AS sandbox
COPY --from=build /opt/cloud-terminal /opt/cloud-terminal

FROM base AS production
COPY --from=build /opt/production /opt/cloud-terminal
