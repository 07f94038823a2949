"""What an alert is written from: a position, the notice, and the rollout's name. Pure; tolerant of what is missing."""

from dataclasses import dataclass
from datetime import datetime

from controller.alerts.wording import address, one_line
from controller.domain.decision import Fact, Notice, Severity
from controller.domain.names import RolloutKey
from controller.domain.rollout import Mode, StageKind
from controller.domain.slo import Slo
from controller.domain.state import Breach, Cause, Position, Run

NO_ACTION, ACT_TODAY, ACT_NOW = "**No action needed.**", "**Act today:**", "**ACT NOW:**"
WHERE_WHY_STANDS = ("detail", "why", "problem", "message")


@dataclass(frozen=True, slots=True)
class Text:
    """An alert's words: the first line, the paragraphs below it, and what makes this event one of a kind.

    `event` is unique within a run; `scope` replaces rollout and run where one cause concerns several rollouts.
    """

    title: str
    paragraphs: tuple[str, ...]
    event: str
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """One notice and where its rollout stood after it."""

    position: Position
    notice: Notice
    key: RolloutKey

    @property
    def name(self) -> str:
        """The rollout as people type it."""
        return address(self.key)

    @property
    def run(self) -> Run | None:
        """The run, or the last one."""
        return self.position.run

    @property
    def breach(self) -> Breach | None:
        """The numbers to tell: those of the notice where it brings its own, else why the run was rolled back."""
        if self.fact("slo") is None or self.fact("total") is None:
            return self.position.breach
        slo, scenario = self.text("slo"), self.text("scenario") or None
        bad, total = self.number("bad") or 0.0, self.number("total") or 0.0
        return Breach(
            Cause.BREACH,
            slo,
            scenario,
            bad,
            total,
            objective=self.number("objective"),
            value=self.number("value"),
            stable_bad=self.number("stable_bad") or 0.0,
            stable_total=self.number("stable_total") or 0.0,
        )

    @property
    def candidate(self) -> str:
        """The candidate's name, or a word for it."""
        return str(self.run.candidate) if self.run else self.text("candidate") or "the candidate"

    @property
    def stable(self) -> str:
        """The name of the version that serves (or served while the run went on), or a word for it."""
        if self.run:
            return str(self.run.stable)
        return str(self.position.stable) if self.position.stable else self.text("stable") or "stable"

    @property
    def slo(self) -> Slo | None:
        """The SLO that breached, as the run's spec has it."""
        wanted = self.breach.slo if self.breach else self.text("slo")
        return next((slo for slo in self.run.spec.slos if slo.name == wanted), None) if self.run else None

    @property
    def stage(self) -> str:
        """The stage in words: `stage canary-25 (25 % of requests)`; empty outside of a run."""
        if not self.run or not 0 <= self.run.stage < len(self.run.spec.stages):
            return ""
        stage = self.run.current
        exposure = {
            StageKind.SHADOW: f"{stage.mirror} % of requests mirrored, no answer reaches a user",
            StageKind.COHORT: "chosen users only",
            StageKind.CANARY: f"{stage.weight} % of requests",
            StageKind.FULL: "100 % of requests",
        }[stage.kind]
        return f"stage {stage.name} ({exposure})"

    @property
    def exposed(self) -> bool:
        """May users get answers of the candidate now? Not known counts as yes."""
        split = self.position.split()
        return split is None or bool(split.weight or split.cohort)

    @property
    def observing(self) -> bool:
        """Was nothing moved, and only said what would have been done?"""
        return self.fact("observed") is not None or (self.run is not None and self.run.spec.mode is Mode.OBSERVE)

    @property
    def lead(self) -> str:
        """Must somebody get up? As the notice's severity says."""
        return {Severity.PAGE: ACT_NOW, Severity.WARN: ACT_TODAY}.get(self.notice.severity, NO_ACTION)

    @property
    def call(self) -> str:
        """As `lead`, for what always needs a person sooner or later."""
        return ACT_NOW if self.notice.severity is Severity.PAGE else ACT_TODAY

    @property
    def moment(self) -> str:
        """What tells two events of the same kind in one run apart: when this state began."""
        return self.position.since.isoformat()

    @property
    def why(self) -> str:
        """What the notice, or else the position, says of the reason, as a sentence; may be empty."""
        said = next((self.text(name) for name in WHERE_WHY_STANDS if self.text(name)), self.position.message)
        line = one_line(said, 1000)
        return line if not line or line.endswith((".", "!", "?")) else f"{line}."

    def fact(self, name: str) -> Fact:
        """A fact of the notice, None when it is not there."""
        return self.notice.facts.get(name)

    def text(self, name: str) -> str:
        """A fact as text, empty when it is not there."""
        value = self.fact(name)
        return "" if value is None else str(value)

    def number(self, name: str) -> float | None:
        """A fact that is a number, None when it is not there or is something else."""
        value = self.fact(name)
        return float(value) if isinstance(value, (int, float)) else None

    def when(self, name: str) -> datetime | None:
        """A fact that is an ISO instant, None when it is not there or is something else."""
        try:
            value = datetime.fromisoformat(self.text(name))
        except ValueError:
            return None
        return value if value.tzinfo else None
