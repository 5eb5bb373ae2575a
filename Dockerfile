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
RUN /opt/stoker/bin/python3 -c 'import stoker_operator.cli, stoker_operator.commands, stoker_operator.running'
USER 65532:65532
ENTRYPOINT ["/opt/stoker/bin/stoker"]

FROM ${BASE} AS sidecar-build
RUN python3 -m venv --without-pip /opt/stoker && python3 -m venv /opt/pip
COPY requirements/sidecar.txt /src/requirements/
RUN /opt/pip/bin/pip --python /opt/stoker/bin/python3 install --no-cache-dir --require-hashes \
  -r /src/requirements/sidecar.txt
COPY crds /src/crds
COPY sidecar /src/sidecar
RUN /opt/pip/bin/pip --python /opt/stoker/bin/python3 install --no-cache-dir --no-deps \
  /src/crds /src/sidecar

FROM ${BASE} AS sidecar
COPY --from=sidecar-build /opt/stoker /opt/stoker
# The base may lack the bytecode of Python's own modules, and a read-only root keeps none: each start
# would compile them anew, and take more memory for it.
RUN /opt/stoker/bin/python3 -c \
  'import stoker_sidecar.app, stoker_sidecar.flags, stoker_sidecar.gpu.driver'
USER 10002:10000
EXPOSE 9464
ENTRYPOINT ["/opt/stoker/bin/stoker-sidecar"]
CMD ["run"]

# An Ollama without models, for trying things out without a GPU (docs/simulator.md).
FROM ${BASE} AS simulator-build
RUN python3 -m venv --without-pip /opt/stoker && python3 -m venv /opt/pip
COPY requirements/simulator.txt /src/requirements/
RUN /opt/pip/bin/pip --python /opt/stoker/bin/python3 install --no-cache-dir --require-hashes \
  -r /src/requirements/simulator.txt
COPY tests/simulator /src/simulator
RUN /opt/pip/bin/pip --python /opt/stoker/bin/python3 install --no-cache-dir --no-deps \
  /src/simulator
# `ollama serve` is Python with the script `serve`, so that it looks like Ollama where processes
# are listed, and not like Python with a script `ollama`.
RUN ln -s python3 /opt/stoker/bin/ollama \
  && mkdir /opt/stoker/scripts \
  && ln -s /opt/stoker/lib/python3*/site-packages/stoker_simulator/__main__.py \
    /opt/stoker/scripts/serve

FROM ${BASE} AS simulator
COPY --from=simulator-build /opt/stoker /opt/stoker
ENV PATH=/opt/stoker/bin:/usr/local/bin:/usr/bin:/bin PYTHONSAFEPATH=1 OLLAMA_HOST=0.0.0.0:11434
WORKDIR /opt/stoker/scripts
USER 65532:65532
EXPOSE 11434
ENTRYPOINT ["ollama"]
CMD ["serve"]
