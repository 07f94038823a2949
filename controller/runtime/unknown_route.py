"""A route that Tidegate wrote and no longer knows of: its database is gone, and what lies elsewhere is not.

Elsewhere is the record beside Envoy, and for an object of a cluster its status.
"""

from controller.domain.route import EnvoyRoute
from controller.domain.traffic import RouterUnavailableError, Split
from controller.runtime.book import Held
from controller.traffic.envoy_files import ConfigFolder
from controller.traffic.envoy_record import Record


def recorded(held: Held) -> Split | None:
    """The roles of the last split that was written, without its weights; asked until a run begins.

    None when it is known what is stable, and when nothing was ever written, or cannot be read.
    """
    position, spec = held.position, held.spec.spec
    if position.stable is not None:
        return held.recorded if position.run is None else None
    target = spec.route.target if spec else None
    if not isinstance(target, EnvoyRoute):
        return _reported(held)
    try:
        record = Record.read(ConfigFolder(target.config_dir), held.key)
    except RouterUnavailableError:
        return _reported(held)
    return Split(record.stable, record.candidate)


def _reported(held: Held) -> Split | None:
    told = held.spec.reported
    return Split(told.stable, told.candidate) if told is not None else None
