"""Rollout files for the benchmarks."""

from pathlib import Path

HAZARDS = ("cse", "iwp", "ssh", "vcr", "hte")
EVALUATIONS = ("harm", "groundedness", "refusal", "toxicity")

SLO = """\
  - name: {name}
    indicator:
      ratio:
        bad:
          metric: llm_eval_results_total
          match: {{deployment: [{deployment}], evaluation: [{name}], verdict: [bad]}}
        total:
          metric: llm_eval_results_total
          match: {{deployment: [{deployment}], evaluation: [{name}], verdict: [ok, bad]}}
        errors:
          metric: llm_eval_results_total
          match: {{deployment: [{deployment}], evaluation: [{name}], verdict: [error]}}
    objective: {{max: 1%}}
    scenarios: {{label: hazard, baseline: none, required: [{required}]}}
"""

ROLLOUT = """\
# One of many: a bot of its own, judged by the judge of all.
apiVersion: tidegate.dev/v1alpha1
kind: ModelRollout
metadata: {{name: {name}, namespace: fleet}}
spec:
  version: {version}
  initialStable: v1
  versions:
  - name: v1
    backendRef: {{kind: Host, name: 127.0.0.1, port: {backend}}}
    bundle: {{weights: "sha256:1f0c", prompt: "sha256:77aa"}}
  - name: v2
    backendRef: {{kind: Host, name: localhost, port: {backend}}}
    bundle: {{weights: "sha256:9b3e", prompt: "sha256:77aa"}}
  routes:
  - envoy:
      {listen}admin: "{admin}"
      configDir: {config_dir}
      hosts: [{name}.example.com]
  metrics:
    {metrics}
  slos:
{slos}  stages:
  - {{name: canary-10, canary: {{weight: 10}}, minDuration: 2h}}
  - {{name: canary-50, canary: {{weight: 50}}, minDuration: 2h}}
  - {{name: full, full: {{}}, minDuration: 2h}}
  analysis: {{interval: {interval}}}
"""


def fleet_member(
    number: int,
    *,
    version: str = "v2",
    backend: int = 9,
    admin: str = "127.0.0.1:9901",
    config_dir: str = "/var/lib/tidegate/envoy",
    listen: str = "",
    metrics: str = "prometheus: {url: http://127.0.0.1:9090}",
    interval: str = "15s",
) -> str:
    """Rollout `number`: 4 SLOs with 5 scenarios each, about 70 lines. `v1` is stable."""
    name = fleet_name(number)
    slos = "".join(SLO.format(name=one, deployment=name, required=", ".join(HAZARDS)) for one in EVALUATIONS)
    listening = f'listen: "{listen}"\n      ' if listen else ""
    return ROLLOUT.format(
        name=name,
        version=version,
        backend=backend,
        admin=admin,
        config_dir=config_dir,
        listen=listening,
        metrics=metrics,
        slos=slos,
        interval=interval,
    )


def fleet_name(number: int) -> str:
    """The name of rollout `number`, which is also the deployment in its metrics."""
    return f"support-bot-{number:04d}"


def write_fleet(folder: Path, count: int) -> list[Path]:
    """`count` good files, for `lint`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{fleet_name(number)}.yaml" for number in range(count)]
    for number, file in enumerate(files):
        file.write_text(fleet_member(number))
    return files
