"""SLOTemplates that come with Tidegate, as data: one YAML file for each source of numbers."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from controller.domain.rollout import Provenance
from controller.spec.finding import Finding
from controller.spec.templates import CATALOG, SHARED_NAMESPACE, Template, Templates, read_template, together
from controller.spec.yaml_text import read_documents

FOLDER = Path(__file__).resolve().parent


def with_catalog(templates: Iterable[Template], shared: str = SHARED_NAMESPACE) -> Templates:
    """These templates and those of the catalog."""
    return together([*templates, *catalog()], shared)


@cache
def catalog() -> tuple[Template, ...]:
    """Every template of the catalog, in the order of the files."""
    return tuple(template for file in files() for template in _read(file))


def files() -> list[Path]:
    """The files of the catalog."""
    return sorted(FOLDER.glob("*.yaml"))


def _read(file: Path) -> Iterable[Template]:
    for document in read_documents(file.read_text(encoding="utf-8")):
        assert isinstance(document.value, dict)
        place = Provenance(f"{CATALOG}/{file.name}", document.place.line)
        template, findings = read_template(document.value, document.place, place)
        if template is None or findings:
            raise ValueError(f"{file}: {_told(findings)}")
        yield template


def _told(findings: Iterable[Finding]) -> str:
    return "; ".join(f"{one.path}: {one.message}" for one in findings)
