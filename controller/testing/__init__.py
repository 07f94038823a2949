"""Shipped test helpers: manual clock, builders, conformance suites that every adapter must pass."""
