"""What the team did with each account, kind by kind, around each snapshot: treatments and their history, no models."""
