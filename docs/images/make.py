"""Draws docs/images/rollback.svg from captured.json: the live tree in a canary, and the alert of its rollback.

python docs/images/make.py             draw again from what was captured
python docs/images/make.py --capture   run the demo first (about a minute) and keep what it really showed
"""

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.panel import Panel
from rich.terminal_theme import MONOKAI
from rich.text import Text

from controller.cli.demo_show import alert_lines
from controller.cli.tree import rollout_tree

HERE = Path(__file__).resolve().parent
CAPTURED, PICTURE = HERE / "captured.json", HERE / "rollback.svg"
WIDTH = 116
FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""Without the fonts that the viewer would have to fetch: any monospace will do."""
Json = dict[str, Any]


def svg(captured: Mapping[str, Any]) -> str:
    """The picture; the same text for the same capture."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text("$ tidegate watch support-bot", "bold"))
    console.print(rollout_tree(captured["canary"]))
    console.print()
    alert = "\n".join(alert_lines(captured["alert"]))
    console.print(Panel(Text(plain(alert)), title="Slack received", border_style="cyan"))
    return console.export_svg(title="tidegate", theme=MONOKAI, code_format=FORMAT, unique_id="tidegate")


def plain(text: str) -> str:
    """Slack's words without Slack's markup."""
    return re.sub(r"\*([^*\n]+)\*", r"\1", text).replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")


def capture() -> Json:
    """What a real demo shows: v13 in its last moment of a canary, and the alert that followed."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "controller", "demo", "--output", "json"]
        demo = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": folder})
        views: list[Json] = []
        threading.Thread(target=_follow, args=(Path(folder), demo, views), daemon=True).start()
        output, _ = demo.communicate()
    result = json.loads(output.splitlines()[-1])
    canary = [view for view in views if _in_canary(view)][-1]
    return {"canary": _tidy(canary), "alert": _tidy(result["alerts"][-1])}


def _follow(folder: Path, demo: "subprocess.Popen[str]", views: list[Json]) -> None:
    from controller.web.client import DaemonRefusedError, DaemonUnavailableError, stream

    while demo.poll() is None:
        for path in folder.glob("tidegate-demo-*/state/tidegate.sock"):
            try:
                views.extend(stream(path, "watch", {"name": "support-bot"}))
            except (DaemonUnavailableError, DaemonRefusedError):
                time.sleep(0.2)


def _in_canary(view: Json) -> bool:
    run, traffic = view["run"] or {}, view["traffic"] or {}
    moving = view["phase"] == "Progressing" and run.get("candidate") == "v13" and run.get("kind") == "canary"
    return moving and bool(traffic.get("verified")) and bool((traffic.get("counted") or {}).get("candidate"))


def _tidy(value: Json) -> Json:
    """Without the folder of that one run."""
    text = re.sub(r"/[^\s\"]*/tidegate-demo-[^/\"]*/", "", json.dumps(value))
    tidied: Json = json.loads(text)
    return tidied


def main(arguments: list[str]) -> int:
    """Write the picture, or with `--check` say that it is not current. The exit code."""
    if "--capture" in arguments:
        CAPTURED.write_text(json.dumps(capture(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    drawn = svg(json.loads(CAPTURED.read_text(encoding="utf-8")))
    if "--check" in arguments:
        return 0 if PICTURE.read_text(encoding="utf-8") == drawn else 1
    PICTURE.write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
