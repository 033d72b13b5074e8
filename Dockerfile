# multifield on CPUs and NVIDIA GPUs. Work in a folder of yours, to which data go:
#   docker build -t multifield . && docker run --rm -v "$PWD:/work" multifield run
# PyTorch is that of pip's index; another build, such as the small one for CPUs: --build-arg TORCH_INDEX=<URL>.
# On NVIDIA GPUs: docker run --gpus all.
FROM python:3.12-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends g++ git && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
ARG TORCH_INDEX
COPY constraints.txt /tmp/
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url ${TORCH_INDEX}} "$(grep '^torch==' /tmp/constraints.txt)"
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt "$(ls /wheels/*.whl)[cluster,viz]"
ENV DO_NOT_TRACK=1
WORKDIR /work
ENTRYPOINT ["multifield"]
CMD ["--help"]
