"""One suite per port: every adapter behind it passes the same checks."""
