"""The tests. `tests/stores.py` gives them real stores."""
