# The packages of requirements.lock and this package, for sites without conda; it runs the checkout that it is started in:
#   docker build --tag lottery .
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/work" lottery --cores all
# Apptainer and Podman take the same image: apptainer exec docker-archive:lottery.tar snakemake --cores all
FROM python:3.11.13-slim-bookworm@sha256:86adf8dbadc3d6e82ee5dd2c74bec2e1c2467cdad47886280501df722372d2e1

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

# git tells the commit that every summary.json names. Debian keeps one version of it, so none is pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/lottery
COPY requirements-build.lock requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements-build.lock \
    && pip install --no-cache-dir --require-hashes --no-build-isolation --requirement requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir --no-build-isolation --no-deps . \
    && git config --system --add safe.directory /work

# Any user number must do: it needs no name, and caches go where everyone may write.
ENV HOME=/tmp USER=lottery
USER 1000
WORKDIR /work
ENTRYPOINT ["snakemake"]
CMD ["--cores", "all"]
