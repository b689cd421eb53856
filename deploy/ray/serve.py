"""One or more models on a Ray cluster, each with as many replicas as are asked for.

    pip install "ray[serve,llm]==2.60.0"
    PYTHONPATH=deploy/ray serve run serve:app

Ray Serve checks no key: keep it in a private network, or put a proxy before it that does.
"""

from ray.serve.llm import LLMConfig, build_openai_app

MODELS = {
    # The name to ask for: where it comes from, and the GPU it needs.
    "qwen2.5-7b": ("Qwen/Qwen2.5-7B-Instruct", "L4"),
}


def config(name: str, source: str, accelerator: str) -> LLMConfig:
    return LLMConfig(
        model_loading_config={"model_id": name, "model_source": source},
        accelerator_type=accelerator,
        deployment_config={"autoscaling_config": {"min_replicas": 1, "max_replicas": 2}},
        engine_kwargs={"max_model_len": 16384, "tensor_parallel_size": 1},
    )


app = build_openai_app(
    {"llm_configs": [config(name, *where) for name, where in MODELS.items()]}
)  # fmt: skip
