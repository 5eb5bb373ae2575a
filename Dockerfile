# The images of Stoker, one target each (docs/images.md). Any base with Python 3.11 or newer and its
# venv will do.
#   docker build --target operator .
ARG BASE=python:3.13-slim

# --- what the images are made with; none of it is in any of them ----------------------------------

FROM ${BASE} AS tools
# The same bytes at every build: no order that chance decides, no bytecode with the time in it.
ENV PYTHONHASHSEED=0 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/pip
COPY requirements/build.txt /src/requirements/
RUN /opt/pip/bin/pip install --require-hashes -r /src/requirements/build.txt
# The environment that becomes part of an image.
RUN python3 -m venv --without-pip /opt/stoker
COPY tools/image /src/tools/image

# What is locked changes rarely and comes first, so that a change of the sources builds in seconds.
FROM tools AS operator-build
COPY requirements/operator.txt /src/requirements/
RUN /opt/pip/bin/pip --python /opt/stoker/bin/python3 install --no-compile --require-hashes \
  -r /src/requirements/operator.txt
COPY crds /src/crds
COPY operator /src/operator
RUN sh /src/tools/image/finish.sh stoker /src/crds /src/operator

FROM tools AS sidecar-build
COPY requirements/sidecar.txt /src/requirements/
RUN /opt/pip/bin/pip --python /opt/stoker/bin/python3 install --no-compile --require-hashes \
  -r /src/requirements/sidecar.txt
COPY crds /src/crds
COPY sidecar /src/sidecar
RUN sh /src/tools/image/finish.sh stoker-sidecar /src/crds /src/sidecar

FROM tools AS simulator-build
COPY requirements/simulator.txt /src/requirements/
RUN /opt/pip/bin/pip --python /opt/stoker/bin/python3 install --no-compile --require-hashes \
  -r /src/requirements/simulator.txt
COPY tests/simulator /src/simulator
RUN sh /src/tools/image/finish.sh stoker-simulator /src/simulator
# `ollama serve` is Python with the script `serve`, so that it looks like Ollama where processes
# are listed, and not like Python with a script `ollama`.
RUN ln -s python3 /opt/stoker/bin/ollama \
  && mkdir /opt/stoker/scripts \
  && ln -s /opt/stoker/lib/python3*/site-packages/stoker_simulator/__main__.py \
    /opt/stoker/scripts/serve

# --- the images -----------------------------------------------------------------------------------

FROM ${BASE} AS image
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=unknown
ARG LICENSES=NOASSERTION
LABEL org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.source="${SOURCE}" \
  org.opencontainers.image.licenses="${LICENSES}"

FROM image AS operator
LABEL org.opencontainers.image.title="stoker-operator" \
  org.opencontainers.image.description="Turns LLMDeployments into the objects that keep a model hot"
COPY --from=operator-build /opt/stoker /opt/stoker
# The base may lack the bytecode of Python's own modules, and a read-only root keeps none: each start
# would compile them anew, and take more memory for it.
RUN ["/opt/stoker/bin/python3", "-c", \
  "import stoker_operator.cli, stoker_operator.commands, stoker_operator.running"]
USER 65532:65532
ENTRYPOINT ["/opt/stoker/bin/stoker"]

FROM image AS sidecar
LABEL org.opencontainers.image.title="stoker-sidecar" \
  org.opencontainers.image.description="Keeps one Ollama hot and opens its pod to traffic only while it is"
COPY --from=sidecar-build /opt/stoker /opt/stoker
# As above.
RUN ["/opt/stoker/bin/python3", "-c", \
  "import stoker_sidecar.app, stoker_sidecar.flags, stoker_sidecar.gpu.driver"]
USER 10002:10000
EXPOSE 9464
ENTRYPOINT ["/opt/stoker/bin/stoker-sidecar"]
CMD ["run"]

# An Ollama without models, for trying things out without a GPU (docs/simulator.md).
FROM image AS simulator
LABEL org.opencontainers.image.title="stoker-simulator" \
  org.opencontainers.image.description="An Ollama without models that fails on command"
COPY --from=simulator-build /opt/stoker /opt/stoker
ENV PATH=/opt/stoker/bin:/usr/local/bin:/usr/bin:/bin PYTHONSAFEPATH=1 OLLAMA_HOST=0.0.0.0:11434
WORKDIR /opt/stoker/scripts
USER 65532:65532
EXPOSE 11434
ENTRYPOINT ["ollama"]
CMD ["serve"]

# What is made when nobody says which.
FROM operator
