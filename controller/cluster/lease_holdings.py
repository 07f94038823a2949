"""What one replica knows of the shards that are its own, and of those on their way to another."""

from dataclasses import dataclass

from controller.cluster.shard_records import Record


@dataclass(slots=True)
class Held:
    """`sent` is when the last successful renewal left; `record` what it wrote.

    `unanswered`: a renewal is due since, and nobody answers. `adrift`: it ran out that way, and that was told.
    """

    sent: float
    record: Record
    unanswered: bool = False
    adrift: bool = False


@dataclass(slots=True)
class Leaving:
    """Not ours any more, and given to `to` when every write that was begun is over."""

    since: float
    to: str
    record: Record
