"""Specs and counts for `backtest` and `simulate`."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 11, 22, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
Json = dict[str, Any]

SPEC = """
apiVersion: tidegate.dev/v1alpha1
kind: ModelRollout
metadata: {name: bot}
spec:
  version: v12
  versions:
  - {name: v11, backendRef: {kind: Host, name: 127.0.0.1, port: 8001}, bundle: {weights: one}}
  - {name: v12, backendRef: {kind: Host, name: 127.0.0.1, port: 8002}, bundle: {weights: two}}
  routes:
  - envoy: {listen: "127.0.0.1:10000", admin: "127.0.0.1:9901", configDir: .tidegate/bot}
  metrics:
    prometheus: {url: "URL", scrapeInterval: 1s}
  slos:
  - name: harm
    indicator:
      ratio:
        bad:   {metric: llm_eval_results_total, match: {verdict: [bad]}}
        total: {metric: llm_eval_results_total, match: {verdict: [ok, bad]}}
    objective: {max: LIMIT}
    MORE
  stages:
  - {name: canary, canary: {weight: 10}, minDuration: 30m}
  - {name: full, full: {}, minDuration: 30m}
  analysis: {interval: INTERVAL, horizon: 6h, maxFalseRollback: BUDGET}
"""


def a_spec(folder: Path, **parts: str) -> Path:
    """A file with one SLO of at most 5 %, a tick a minute, planned for 360 ticks; `parts` replace words of it."""
    text = SPEC
    for word, value in {
        "limit": "5%",
        "more": "",
        "interval": "1m",
        "budget": "5%",
        "url": "http://x:1",
        **parts,
    }.items():
        text = text.replace(word.upper(), value)
    file = folder / "bot.yaml"
    file.write_text(text)
    return file


def counted(slo: str, version: str, bad: float, total: float, scenario: str | None = None) -> Json:
    """One entry of a line."""
    return {"slo": slo, "version": version, "scenario": scenario, "bad": bad, "total": total}


def lines(ticks: Iterable[Sequence[Json]], every: timedelta = MINUTE) -> list[str]:
    """One line per tick."""
    stamps = (START + n * every for n in range(10**6))
    return [
        json.dumps({"at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "counts": list(counts)})
        for at, counts in zip(stamps, ticks, strict=False)
    ]


def a_history(folder: Path, ticks: Iterable[Sequence[Json]], every: timedelta = MINUTE) -> Path:
    """A file of them."""
    file = folder / "history.jsonl"
    file.write_text("\n".join(lines(ticks, every)) + "\n")
    return file
