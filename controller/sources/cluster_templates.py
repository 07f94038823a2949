"""SLOTemplates of a cluster, read from the same view as its rollouts."""

from collections.abc import Callable, Mapping, Sequence

from controller.domain.cluster import SLO_TEMPLATE, ClusterError, Document, ObjectRef
from controller.domain.problem import SpecProblem
from controller.ports import ObjectView
from controller.sources.template_shelf import TemplateShelf
from controller.spec.expanding import Found, found
from controller.spec.parse import parse_document
from controller.spec.templates import Templates


class ClusterTemplates:
    """Puts the cluster's templates on the shelf. Where they cannot be read, those known before stay there."""

    def __init__(self, view: ObjectView) -> None:
        self.shelf = TemplateShelf()
        self._view = view
        self._problems: tuple[SpecProblem, ...] = ()

    def follow(self, namespaces: Sequence[str], tell: Callable[[], None]) -> None:
        """Keep them current, those of the shared namespace too; `tell` is called when one changed."""

        def heard(ref: ObjectRef) -> None:  # noqa: ARG001 - which one does not matter
            tell()

        shared = self.shelf.all().shared
        for namespace in dict.fromkeys((*namespaces, *(() if "" in (*namespaces, shared) else (shared,)))):
            self._view.follow(SLO_TEMPLATE, namespace, heard)

    def read(self) -> tuple[SpecProblem, ...]:
        """Look at them as they are now; what is wrong with them."""
        try:
            documents = self._view.all(SLO_TEMPLATE)
        except ClusterError:
            return self._problems  # an older cluster may not know the kind: rollouts that use none are not hurt
        parsed = [parse_document(one, f"slotemplate {_name_of(one)}", Templates()) for one in documents]
        self.shelf.put(self, (one.template for one in parsed if one.template is not None))
        self._problems = tuple(problem for one in parsed for problem in one.problems)
        return self._problems

    def all(self) -> Templates:
        """Those of every source."""
        return self.shelf.all()

    def used_by(self, document: Document) -> Found:
        """The templates meant by every SLO that uses one."""
        return found(document, self.shelf.all())


def _name_of(document: Document) -> str:
    metadata = document.get("metadata")
    known: Mapping[str, object] = metadata if isinstance(metadata, Mapping) else {}
    return f"{known.get('namespace')}/{known.get('name')}"
