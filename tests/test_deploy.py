"""The recipes for larger models hold together; none of them can be started here."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".pyc")
PAGE = (ROOT / "docs" / "models.md").read_text()


def loaded(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(DEPLOY).as_posix())
def test_every_recipe_parses_is_linted_and_stands_on_the_page(path: Path):
    assert f"](../{path.relative_to(ROOT).as_posix()})" in PAGE
    assert "HF_TOKEN=hf_" not in path.read_text()
    if path.suffix == ".yaml":
        assert all(isinstance(one, dict) for one in yaml.safe_load_all(path.read_text()))
        return
    ast.parse(path.read_text())
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_recipe_ends_with_an_address_to_paste():
    parts = re.split(r"^###? ", PAGE, flags=re.M)
    recipes = [part for part in parts if "```sh" in part]
    assert len(recipes) == 7
    for part in recipes:
        last = part.strip().splitlines()[-1]
        assert last.startswith("**Paste this address into Models → Connections:**"), part[:40]
        assert "/v1`" in last
    assert "None of the recipes below could be started" in PAGE


def test_one_version_of_vllm_everywhere():
    text = "".join(path.read_text() for path in FILES)
    assert set(re.findall(r"vllm(?:==|-openai:v)([\d.]+)", text)) == {"0.33.0"}


def test_every_recipe_names_the_model_first_and_asks_vllm_for_what_it_knows():
    """`--model` goes away: `vllm serve`, which the image begins with, wants it as the first word.

    The options are those that were looked up in vLLM 0.33.0's own parser.
    """
    known = set(
        "--host --port --max-model-len --served-model-name --gpu-memory-utilization "
        "--tensor-parallel-size --enable-auto-tool-choice --tool-call-parser".split()
    )
    [compose] = loaded("vllm/compose.yaml")
    _, deployment, _ = loaded("kubernetes/vllm.yaml")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    told = [compose["services"]["vllm"]["command"], container["args"]]
    told += [
        loaded(f"skypilot/{name}.yaml")[0]["run"].split("vllm serve ")[1].split()
        for name in ("machine", "service")
    ]
    modal = (DEPLOY / "modal/serve.py").read_text().split("command = ")[1].split("]")[0]
    told.append(re.findall(r'MODEL\b(?!_)|"(--[a-z-]+)', modal))
    for words in told:
        assert not words[0].startswith("--")
        assert {word.split("=")[0] for word in words if word.startswith("--")} <= known


def test_what_the_page_tells_to_install_is_what_was_checked():
    assert "modal==1.6.4" in PAGE
    assert "skypilot[aws,gcp]==0.14.1" in PAGE
    [ray] = set(re.findall(r"ray\[serve,llm\]==([\d.]+)", (DEPLOY / "ray/serve.py").read_text()))
    assert f"ray[serve,llm]=={ray}" in PAGE


def test_compose_listens_on_loopback_with_a_key_it_insists_on():
    [compose] = loaded("vllm/compose.yaml")
    service = compose["services"]["vllm"]
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert service["environment"]["VLLM_API_KEY"].startswith("${VLLM_API_KEY:?")
    [device] = service["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert set(compose["volumes"]) == {one.split(":")[0] for one in service["volumes"]}


def test_sky_files_differ_only_in_being_a_service():
    [machine], [service] = loaded("skypilot/machine.yaml"), loaded("skypilot/service.yaml")
    for one in (machine, service):
        assert one["secrets"] == {"VLLM_API_KEY": None, "HF_TOKEN": None}
        assert f"--port {one['resources']['ports']}" in one["run"]
        used = set(re.findall(r"\$(\w+)", one["run"])) - {"SKYPILOT_NUM_GPUS_PER_NODE"}
        assert used == set(one["envs"])
        assert all(isinstance(value, str) for value in one["envs"].values())
    for same in ("envs", "setup", "run"):
        assert machine[same] == service[same]
    # A server is a job that never ends: whoever waits for jobs never stops the machine.
    assert machine["resources"]["autostop"]["wait_for"] == "none"
    assert service["service"]["readiness_probe"]["path"] == "/health"
    policy = service["service"]["replica_policy"]
    assert policy["min_replicas"] <= policy["max_replicas"]


def test_kubernetes_parts_name_each_other():
    claim, deployment, service = loaded("kubernetes/vllm.yaml")
    assert len({one["metadata"]["namespace"] for one in (claim, deployment, service)}) == 1
    pod = deployment["spec"]["template"]
    [container] = pod["spec"]["containers"]
    labels = pod["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels == service["spec"]["selector"]
    volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
    assert {one["name"] for one in container["volumeMounts"]} == set(volumes)
    claimed = volumes["models"]["persistentVolumeClaim"]["claimName"]
    assert claimed == claim["metadata"]["name"]
    [port] = container["ports"]
    probes = [container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
    assert {probe["httpGet"]["port"] for probe in probes} == {port["name"]}
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    keys = [one["valueFrom"]["secretKeyRef"]["key"] for one in container["env"]]
    assert all(f"--from-literal={key}=" in PAGE for key in keys)
    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local"
    assert f"http://{host}:{service['spec']['ports'][0]['port']}/v1" in PAGE


def test_modal_serves_the_port_it_opens_and_ray_the_app_that_is_named():
    modal = (DEPLOY / "modal/serve.py").read_text()
    assert "@modal.web_server(port=PORT" in modal
    assert '"--port", str(PORT)' in modal
    assert 'required_keys=["VLLM_API_KEY"]' in modal
    names = {
        target.id
        for node in ast.parse((DEPLOY / "ray/serve.py").read_text()).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert "app" in names
    assert "serve run serve:app" in PAGE
