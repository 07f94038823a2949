"""What Tidegate says of itself: logs, metrics, health."""
