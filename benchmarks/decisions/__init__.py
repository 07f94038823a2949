"""`make bench-decisions`: the same seeded traces through our engine and through the rules of its peers."""
