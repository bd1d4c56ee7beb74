"""The Agents API: definitions with versions and environments, written as they are read."""
