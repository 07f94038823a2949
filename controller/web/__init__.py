"""The doors for people and machines: `/metrics` and health over HTTP, requests over a Unix socket."""
