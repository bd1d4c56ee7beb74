"""Saved tools: definitions with versions, that requests and agents use by key or id."""
