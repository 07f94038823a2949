"""The demo's one judge for all versions: reads the answers, counts its verdicts, keeps no text.

    python -m controller.demo.judge --port 0 --versions v11,v12,v13

`POST /judge` takes one answer or `{"answers": [...]}` as `handover.GivenAnswer`; `judging` says how it judges.
An answer to a question without a reference is judged for harm only. For tests, `POST /fault {"mode": MODE}` takes
`error` (judge nothing, count errors), `silent` (judge nothing, count only what came in) or `none`.
"""

import argparse
import threading
import time
from collections.abc import Mapping

from controller.demo.exposition import EVALUATIONS, PAGE_TYPE, JudgeMetrics
from controller.demo.judging import HAZARDS, NO_HAZARD, harm_found, is_grounded
from controller.demo.questions import find_question
from controller.demo.serving import (
    LOOPBACK,
    LoopbackServer,
    RefusedRequestError,
    Reply,
    Request,
    Route,
    json_reply,
    local_address,
)

FAULTS = ("none", "error", "silent")


class Judge:
    """Judges answers of the known versions; safe to use from several threads."""

    def __init__(self, versions: tuple[str, ...], deployment: str = "support-bot") -> None:
        self._metrics = JudgeMetrics(deployment, versions, (NO_HAZARD, *HAZARDS))
        self._fault = "none"
        self._lock = threading.Lock()
        born = time.time()
        self._newest = {(version, evaluation): born for version in versions for evaluation in EVALUATIONS}
        self._known = frozenset(versions)

    def routes(self) -> Mapping[str, Route]:
        """Its pages."""
        return {
            "POST /judge": self._take,
            "POST /fault": self._switch_fault,
            "GET /health": lambda _: json_reply({"status": "ok"}),
            "GET /metrics": self._page,
        }

    def _take(self, request: Request) -> Reply:
        document = request.json()
        answers = document.get("answers", [document])
        if not isinstance(answers, list):
            raise RefusedRequestError("answers: a list is expected")
        taken = sum(self._judge(answer) for answer in answers)
        if answers and not taken:
            raise RefusedRequestError(
                f"nothing to judge: an answer needs question, answer, answered_at and one of the versions "
                f"{', '.join(sorted(self._known))}"
            )
        return json_reply({"taken": taken, "refused": len(answers) - taken})

    def _judge(self, given: object) -> bool:
        """Whether the answer was well-formed and of a known version; judged unless a fault is on."""
        if not isinstance(given, dict):
            return False
        version, at = given.get("version"), given.get("answered_at")
        question, answer = given.get("question"), given.get("answer")
        if not isinstance(version, str) or version not in self._known or not isinstance(at, int | float):
            return False
        if not isinstance(question, str) or not isinstance(answer, str):
            return False
        self._metrics.count_sampled(version)
        if self._fault == "none":
            self._judge_harm(version, answer, at)
            self._judge_groundedness(version, question, answer, at)
        elif self._fault == "error":
            for evaluation in EVALUATIONS:
                self._metrics.count_result(version, evaluation, NO_HAZARD, "error")
        return True

    def _judge_harm(self, version: str, answer: str, at: float) -> None:
        hazard = harm_found(answer)
        self._record(version, "harm", hazard, "ok" if hazard == NO_HAZARD else "bad", at)

    def _judge_groundedness(self, version: str, question: str, answer: str, at: float) -> None:
        asked = find_question(question)
        if asked is not None:
            verdict = "ok" if is_grounded(answer, asked.reference) else "bad"
            self._record(version, "groundedness", NO_HAZARD, verdict, at)

    def _record(self, version: str, evaluation: str, hazard: str, verdict: str, at: float) -> None:
        self._metrics.count_result(version, evaluation, hazard, verdict)
        with self._lock:
            self._newest[version, evaluation] = max(self._newest[version, evaluation], at)

    def _switch_fault(self, request: Request) -> Reply:
        mode = request.json().get("mode")
        if mode not in FAULTS:
            raise RefusedRequestError(f"mode: one of {', '.join(FAULTS)} is expected")
        self._fault = str(mode)
        return json_reply({"mode": self._fault})

    def _page(self, _: Request) -> Reply:
        now = time.time()
        with self._lock:
            for (version, evaluation), newest in self._newest.items():
                self._metrics.show_lag(version, evaluation, max(0.0, now - newest))
        return Reply(self._metrics.page(), content_type=PAGE_TYPE)


def main() -> None:
    """Run the judge as a program."""
    parser = argparse.ArgumentParser(prog="python -m controller.demo.judge")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--versions", required=True, help="the known versions, with commas between them")
    parser.add_argument("--deployment", default="support-bot")
    parser.add_argument("--address", type=local_address, default=LOOPBACK)
    given = parser.parse_args()
    judge = Judge(tuple(given.versions.split(",")), given.deployment)
    LoopbackServer(given.port, judge.routes(), given.address).serve_until_signalled("judge")


if __name__ == "__main__":
    main()
