"""What a forecast is measured against: its rivals, frozen the same night, and what came of it."""
