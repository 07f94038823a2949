"""Fixtures every test may ask for. Servers start when first asked for and live as long as the worker."""

import os
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.parts.metrics_page import MetricsPage
from tests.parts.postgres import Postgres, a_postgres


def pytest_configure() -> None:
    # No deadline: two workers share two cores with real servers, and a slow example is not a wrong one.
    settings.register_profile("quick", deadline=None, print_blob=True)
    settings.register_profile(
        "thorough", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server per worker. Ask for `postgres_url` unless the test restarts or stops it."""
    with a_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """The SQLAlchemy URL of an empty database of the test's own."""
    return postgres.create_database(f"test_{uuid.uuid4().hex}")


@pytest.fixture
def metrics_page() -> Iterator[MetricsPage]:
    """An empty `/metrics` page that the test fills and breaks."""
    with MetricsPage() as page:
        yield page
