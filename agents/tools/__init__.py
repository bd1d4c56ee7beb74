"""Tools that workers run."""
