"""Tidegate: a staged-rollout controller for LLMs that shuts the gate by itself.

sources -> observe -> judge -> decide -> execute -> record, and nothing flows back except by being observed again.
Floors, top first: `cli`; `demo`, `testing`; `runtime`; `sources`, `traffic`, `metrics`, `store`, `alerts`, `telemetry`,
`web`; `spec`, `decision`; `analysis`; `ports`; `domain`. A room imports only from floors below its own.
"""

__version__ = "0.1.0"
