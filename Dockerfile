# One image for web server and workers; docker-compose.yml says which command each container runs.
#
# pip takes PyTorch's normal Linux build, which carries CUDA. For a much smaller image without it, pass the
# address of PyTorch's CPU packages:  docker compose build --build-arg PIP_EXTRA_INDEX_URL=...

FROM node:24-slim AS viewer
WORKDIR /viewer
COPY app/viewer/package.json app/viewer/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY app/viewer ./
RUN npm run build

FROM python:3.11-slim
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri libx11-6 libxrender1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/loopscope
ARG PIP_EXTRA_INDEX_URL=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONUNBUFFERED=1

# The run-time dependencies at the lock's versions; this layer stays until one of the two files changes.
COPY pyproject.toml requirements.lock ./
RUN sed 's/ *;.*//' requirements.lock > /tmp/versions.txt \
    && python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
        > /tmp/wanted.txt \
    && grep -E '^(setuptools|numpy)==' requirements.lock > /tmp/build.txt \
    && pip install -r /tmp/build.txt \
    && pip install --no-build-isolation -c /tmp/versions.txt -r /tmp/wanted.txt \
    && rm /tmp/versions.txt /tmp/wanted.txt /tmp/build.txt

COPY . .
COPY --from=viewer /viewer/dist app/viewer/dist
RUN pip install --no-deps --no-build-isolation -e . \
    && useradd --create-home --uid 1000 loopscope \
    && install -d -o loopscope -g loopscope /data

USER loopscope
# Where no user has been added, it refuses to listen to a network; docker-compose.yml publishes on loopback and says so.
ENV LOOPSCOPE_HOME=/data LOOPSCOPE_HOST=0.0.0.0
VOLUME /data
EXPOSE 7860
CMD ["loopscope", "serve"]
