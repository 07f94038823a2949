"""How fast and how small is it? Measured on real parts; `python benchmarks/run.py` prints the table."""
