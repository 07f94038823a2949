"""The one door to the Kubernetes API: objects as plain documents, views kept current by watches, leases."""
