"""Adapters that measure. A new provider is one file, one line here, and the conformance suite."""

from collections.abc import Mapping

from controller.metrics.prometheus import Prometheus
from controller.metrics.scrape import Scrape
from controller.ports import ProviderFactory

PROVIDERS: Mapping[str, ProviderFactory] = {"prometheus": Prometheus, "scrape": Scrape}
"""By the name in the spec."""
