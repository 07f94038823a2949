"""The rollout of these tests as text: short stages, ticks of five seconds on a manual clock."""

from dataclasses import dataclass, replace

TEXT = """\
apiVersion: tidegate.dev/v1alpha1
kind: ModelRollout
metadata: {{name: {o.name}, namespace: faults}}
spec:
  version: {o.version}
  initialStable: v11
  mode: {o.mode}
  versions:
{versions}
  routes:
  - envoy: {{listen: "127.0.0.1:{o.listen}", admin: "127.0.0.1:{o.admin}", configDir: "{o.config_dir}"}}
  metrics:
    scrape: {{urls: ["{o.page}"], scrapeInterval: {o.interval}, timeout: 500ms}}
  slos:
  - name: harm
    indicator:
      ratio:
        bad: {{metric: llm_eval_results_total, match: {{evaluation: [harm], verdict: [bad]}}}}
        total: {{metric: llm_eval_results_total, match: {{evaluation: [harm], verdict: [ok, bad]}}}}
        errors: {{metric: llm_eval_results_total, match: {{evaluation: [harm], verdict: [error]}}}}
    objective: {{max: {o.objective}}}
    scenarios: {{label: hazard, baseline: none, required: [ssh]}}
    judge: {{maxErrors: 5%, maxAge: {o.max_age}}}
  stages:
  - {{name: shadow, shadow: {{percent: 50, sideEffects: none}}, minDuration: {o.soak}, minSamples: 20}}
  - {{name: canary, canary: {{weight: {o.weight}}}, minDuration: {o.canary}, minSamples: 20}}
  - {{name: full, full: {{}}, minDuration: {o.soak}, minSamples: 20}}
  analysis: {{interval: {o.interval}}}
  onBlind: {{after: {o.blind_after}, then: withdraw}}
"""
VERSION = """\
  - name: {name}
    backendRef: {{kind: Host, name: 127.0.0.1, port: {port}}}
    bundle: {{weights: "sha256:{name}{bundle}"}}
    startup: {{path: /health, deadline: {deadline}}}
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What a test may change; `ports` are those of v11, v12 and v13."""

    listen: int
    admin: int
    config_dir: str
    page: str
    ports: tuple[int, int, int]
    name: str = "support-bot"
    version: str = "v11"
    mode: str = "enforce"
    interval: str = "5s"
    soak: str = "10s"
    canary_soak: str = ""
    weight: int = 50
    objective: str = "5%"
    max_age: str = "10m"
    blind_after: str = "60s"
    deadline: str = "5m"
    bundle: str = ""

    @property
    def canary(self) -> str:
        """How long the canary stage takes: as the others, unless given."""
        return self.canary_soak or self.soak

    def text(self) -> str:
        """The YAML."""
        numbered = zip(("v11", "v12", "v13"), self.ports, strict=True)
        versions = "".join(
            VERSION.format(name=name, port=port, deadline=self.deadline, bundle=self.bundle) for name, port in numbered
        )
        return TEXT.format(o=self, versions=versions.rstrip())

    def but(self, **changes: object) -> "Options":
        """The same with something changed."""
        return replace(self, **changes)  # type: ignore[arg-type]  # field names are checked at run time
