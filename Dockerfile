# One image for every step of the pipeline, on a CPU or an NVIDIA GPU.
#   docker build .                                        CPU (the default)
#   docker build --build-arg DEVICE=cu130 .               CUDA 13; the name of a PyTorch wheel index
#   docker build --build-arg DEVICE= .                    torch from pip's own index
# A company's package index comes in as a build secret, which leaves no trace in the image:
#   docker build --secret id=pip,src=$HOME/.config/pip/pip.conf .
# `make image` builds it where there is no daemon; `make image-test` runs it (docs/IMAGE.md).
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
COPY requirements.lock requirements-cloud.lock ./
ARG DEVICE=cpu
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    index="${DEVICE:+--index-url https://download.pytorch.org/whl/${DEVICE}}" \
 && pip install --no-cache-dir $index -c requirements.lock "$(grep '^torch==' requirements.lock)"
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    pip install --no-cache-dir -r requirements.lock -r requirements-cloud.lock
COPY pyproject.toml dml_*.py zenml_config.yaml ./
COPY models models
COPY mutualctr mutualctr
COPY stack stack
COPY steps steps
COPY pipelines pipelines
COPY configs configs
COPY data_contracts data_contracts
# The program stays in /app, where contracts and configurations lie beside it; the link makes the
# `mutualctr` command. Then nothing is left to install with.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    pip install --no-cache-dir "setuptools>=77" \
 && pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
 && rm -rf build && pip uninstall --yes setuptools pip \
 && python -m compileall -q /app

FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
        python3 python3-distutils libgomp1 libstdc++6 ca-certificates \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
 && groupadd --gid 10001 app && useradd --uid 10001 --gid app --no-create-home --home /home/app app \
 && install -d -o app -g app /home/app
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ARG COMMIT=unknown
# The root may be read-only: what is written goes to /home/app (ZenML's and MLflow's own files,
# outputs/) and to /tmp (artifacts on their way).
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOME=/home/app ZENML_REPOSITORY_PATH=/home/app ZENML_CUSTOM_SOURCE_ROOT=/app \
    MUTUALCTR_COMMIT=${COMMIT} \
    GIT_PYTHON_REFRESH=quiet ZENML_ANALYTICS_OPT_IN=false GX_ANALYTICS_ENABLED=false MLFLOW_DISABLE_TELEMETRY=true
LABEL org.opencontainers.image.title=mutualctr org.opencontainers.image.revision=${COMMIT}
VOLUME ["/home/app", "/tmp"]
WORKDIR /home/app
USER 10001:10001
HEALTHCHECK --interval=1m --timeout=50s --start-period=30s CMD ["mutualctr", "health"]
CMD ["mutualctr", "health"]
