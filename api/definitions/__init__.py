"""What agents and saved tools have in common: versions that never change, secrets that are never shown, lists, differences."""
