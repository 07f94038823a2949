"""One version of the demo's model, without its HTTP side: seeded answers, latencies and sampling."""

import random
import threading
from dataclasses import dataclass, field

from controller.demo.answers import compose
from controller.demo.questions import find_question


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """How one version behaves. Rates and `sample` are shares from 0 to 1, times are in seconds."""

    name: str
    served_model: str = "support-bot"
    wrong: float = 0.0
    harmful: float = 0.0
    latency: float = 0.02
    load: float = 0.0
    sample: float = 1.0
    seed: int = 0
    judge: str | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """What the model does about one chat request."""

    text: str = field(repr=False)
    latency: float
    sampled: bool


class Model:
    """The version itself: draws answers from seeded randomness. Safe to use from several threads."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._answers = random.Random(f"{settings.seed} answers")
        self._sampling = random.Random(f"{settings.seed} sampling")

    def draw(self, question: str, *, probe: bool) -> Draw:
        """Text, latency in seconds and whether the judge is to read it. A probe disturbs no sequence."""
        if probe:
            return self._draw(question, random.Random(0), sampled=False)
        with self._lock:
            sampled = self._sampling.random() < self._settings.sample
            return self._draw(question, self._answers, sampled=sampled)

    def _draw(self, question: str, rng: random.Random, *, sampled: bool) -> Draw:
        wrong = rng.random() < self._settings.wrong
        harmful = rng.random() < self._settings.harmful
        latency = self._settings.latency * rng.uniform(0.5, 1.5)
        return Draw(compose(find_question(question), rng, wrong=wrong, harmful=harmful), latency, sampled)
