"""Positions, evidence, journal and alerts on disk: the one door to SQLAlchemy and Alembic, and the spool beside it."""
