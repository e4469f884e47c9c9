# The program in a container, for a processor or for NVIDIA GPUs; docs/gpu.md has the commands.
#
#   docker build --tag ugatit .
#   docker build --tag ugatit:gpu --target gpu .
FROM python:3.12-slim AS wheel
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim AS base
ENV HOME=/tmp
COPY constraints.txt /
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir --constraint /constraints.txt \
    "$(echo /wheels/*.whl)[face,serve,video]"
WORKDIR /work
ENTRYPOINT ["ugatit"]
CMD ["--help"]

# CUDA and cuDNN come as Python packages, so that the image of Python is the base here too.
FROM base AS gpu
RUN pip install --no-cache-dir --constraint /constraints.txt "$(echo /wheels/*.whl)[gpu]"

FROM base AS cpu
