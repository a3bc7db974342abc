# The Decoding Playground on a CPU. For a GPU: docker build --build-arg DEVICE=cuda . and docker run --gpus all ...
ARG BASE=python:3.11-slim
FROM ${BASE}

# auto, cpu or cuda: where the weights go when nothing else is said (PLAYGROUND_DEVICE).
ARG DEVICE=cpu
# Where pip finds torch. Empty: pip's default index, whose Linux build runs on CPUs and on GPUs and is large. For a
# small image that knows no GPU give the address of PyTorch's CPU wheels, for another CUDA release that of its wheels.
ARG TORCH_INDEX=""
# 1 puts the default model into the image, so that a container starts without a network; 0 fetches it at first start.
ARG PRELOAD=1

RUN useradd --create-home --uid 1000 user
USER user
ENV HOME=/home/user \
    PATH=/home/user/.local/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /home/user/app

COPY --chown=user requirements.txt .
RUN if [ -n "$TORCH_INDEX" ]; then \
      pip install --user --index-url "$TORCH_INDEX" "$(grep '^torch==' requirements.txt)"; \
    fi \
 && pip install --user -r requirements.txt

COPY --chown=user playground playground
RUN if [ "$PRELOAD" = 1 ]; then python -c "import playground; playground.load_model('default', device='cpu')"; fi
COPY --chown=user assets assets
COPY --chown=user app.py README.md LICENSE ./

ENV PLAYGROUND_HOST=0.0.0.0 \
    PLAYGROUND_PORT=7860 \
    PLAYGROUND_DEVICE=${DEVICE}
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s --retries=3 CMD ["python", "-c", \
  "import json, os, sys, urllib.request as http; sys.exit(json.load(http.urlopen('http://127.0.0.1:' + os.environ['PLAYGROUND_PORT'] + '/healthz'))['state'] == 'failed')"]
CMD ["python", "app.py"]
