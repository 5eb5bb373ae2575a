# The images of Stoker, one target each. Any base with Python 3.11 or newer and its venv will do.
#   docker build --target operator .
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
RUN python3 -m venv /opt/stoker
# What is locked changes rarely and comes first, so that a change of the sources builds in seconds.
COPY requirements/operator.txt /src/requirements/
RUN /opt/stoker/bin/pip install --no-cache-dir --require-hashes -r /src/requirements/operator.txt
COPY crds /src/crds
COPY operator /src/operator
RUN /opt/stoker/bin/pip install --no-cache-dir --no-deps /src/crds /src/operator

FROM ${BASE} AS operator
COPY --from=build /opt/stoker /opt/stoker
USER 65532:65532
ENTRYPOINT ["/opt/stoker/bin/stoker"]
