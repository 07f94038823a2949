"""The demo on Kubernetes: a real API server, Contour and Envoy, our chart's account, and the same models and judge."""
