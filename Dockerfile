# The page and the HTTP service with the bundled models, on the CPU, without MindSpore.
#   docker build -t style-transfer .
#   docker run -p 127.0.0.1:8000:8000 style-transfer
FROM python:3.12-slim

WORKDIR /app
COPY requirements-runtime.txt requirements-app.txt requirements-video.txt ./
RUN pip install --no-cache-dir -r requirements-runtime.txt -r requirements-app.txt -r requirements-video.txt

COPY app.py default_config.yaml ./
COPY src src
COPY dataset/test dataset/test
COPY pretrained_model pretrained_model

# Nothing is written but to the system's folder for temporary files.
RUN useradd --system --no-create-home service
USER service
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "app.py", "--host", "0.0.0.0", "--engine", "onnxruntime"]
