"""The rules of a tick, and history through them."""
