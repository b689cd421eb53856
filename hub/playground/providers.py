"""Where connections usually lead: what to fill in for each, so that nobody looks it up."""

from __future__ import annotations

import msgspec

from hub.playground.wire.dialects import OPENAI

LANGUAGES: dict[str, str] = {
    OPENAI: "OpenAI chat completions",
    "responses": "OpenAI responses",
    "anthropic": "Anthropic messages",
    "gemini": "Google Gemini",
    "ollama": "Ollama",
}
"""The dialects as people choose them."""


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of endpoint to begin a form with."""

    id: str
    name: str
    kind: str
    address: str
    told: str
    """One line: what it is, or where its key comes from."""


PROVIDERS = (
    Provider(
        id="openai", name="OpenAI", kind="responses", address="https://api.openai.com/v1",
        told="Keys are made at platform.openai.com, under API keys.",
    ),
    Provider(
        id="anthropic", name="Anthropic", kind="anthropic", address="https://api.anthropic.com/v1",
        told="Keys are made at console.anthropic.com, under API keys.",
    ),
    Provider(
        id="gemini", name="Google Gemini", kind="gemini",
        address="https://generativelanguage.googleapis.com/v1beta",
        told="Keys are made at aistudio.google.com.",
    ),
    Provider(
        id="openrouter", name="OpenRouter", kind=OPENAI, address="https://openrouter.ai/api/v1",
        told="Hundreds of models behind one key; it says itself what each call cost.",
    ),
    Provider(
        id="ollama", name="Ollama", kind="ollama", address="http://localhost:11434",
        told="On this machine or another one. The operator allows its address once.",
    ),
    Provider(
        id="own", name="A server of your own", kind=OPENAI, address="",
        told="vLLM, SGLang, llama.cpp, LM Studio, or another hub's engine.",
    ),
    Provider(
        id="other", name="Another provider", kind=OPENAI, address="",
        told="Most speak OpenAI's chat language: Mistral, Groq, Together, DeepSeek, Azure.",
    ),
)  # fmt: skip


def by_id(provider_id: str) -> Provider | None:
    return next((one for one in PROVIDERS if one.id == provider_id), None)
