"""Under which name a version is asked whether it is ready."""

from dataclasses import replace

from controller.domain.route import BackendRef
from controller.runtime.probe import addressed
from controller.testing.conformance.store_samples import a_spec


def test_a_service_is_asked_by_the_name_that_every_namespace_knows() -> None:
    version = replace(a_spec().versions[0], backend=BackendRef("Service", "chat-v11", 8000))
    assert addressed(version, "assistants").backend == BackendRef("Service", "chat-v11.assistants.svc", 8000)
    assert addressed(version, "search").backend != addressed(version, "assistants").backend


def test_a_host_is_asked_as_it_is_written() -> None:
    version = replace(a_spec().versions[0], backend=BackendRef("Host", "127.0.0.1", 8000))
    assert addressed(version, "assistants") == version
