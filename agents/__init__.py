"""What an agent is and how it takes a turn. No database, broker or web framework in here."""
