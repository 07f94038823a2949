"""`make bench-kubernetes`: many ModelRollouts on a real API server."""
