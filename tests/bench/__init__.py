"""A benchmark of the real processes, beside the same calls straight to a fast fake upstream. `python -m tests.bench`."""
