"""What plays and scenarios come to by an account's own hazards, and which plays fit into the hours: pure arithmetic."""
