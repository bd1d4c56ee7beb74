"""Where code of strangers runs."""
