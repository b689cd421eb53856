"""A model on Modal: the machine is there while somebody asks, and gone fifteen minutes later.

    modal secret create prompthub-vllm VLLM_API_KEY=$(openssl rand -hex 24) HF_TOKEN=…
    modal deploy deploy/modal/serve.py

The last line that it prints is the address; append /v1.
"""

import subprocess

import modal

MODEL = "Qwen/Qwen2.5-7B-Instruct"
GPU = "L40S"
MAX_MODEL_LEN = 16384
PORT = 8000
MINUTES = 60

image = (
    modal.Image.from_registry("nvidia/cuda:12.8.1-devel-ubuntu22.04", add_python="3.12")
    .entrypoint([])
    .uv_pip_install("vllm==0.33.0")
)
app = modal.App("prompthub-model")
weights = modal.Volume.from_name("prompthub-weights", create_if_missing=True)
compiled = modal.Volume.from_name("prompthub-compiled", create_if_missing=True)


@app.function(
    image=image,
    gpu=GPU,
    scaledown_window=15 * MINUTES,
    timeout=30 * MINUTES,
    max_containers=1,
    volumes={"/root/.cache/huggingface": weights, "/root/.cache/vllm": compiled},
    secrets=[modal.Secret.from_name("prompthub-vllm", required_keys=["VLLM_API_KEY"])],
)
@modal.concurrent(max_inputs=64)
@modal.web_server(port=PORT, startup_timeout=20 * MINUTES)
def serve() -> None:
    """vLLM takes the key from the secret's VLLM_API_KEY."""
    command = [
        "vllm", "serve", MODEL, "--host", "0.0.0.0", "--port", str(PORT),  # noqa: S104 (in the container)
        "--max-model-len", str(MAX_MODEL_LEN),
        "--enable-auto-tool-choice", "--tool-call-parser", "hermes",
    ]  # fmt: skip
    subprocess.Popen(command)  # noqa: S603 (all words are our own)
