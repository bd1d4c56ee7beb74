"""Tool servers that speak the Model Context Protocol: what they offer, sessions with them, and calls."""
