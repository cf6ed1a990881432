"""The batch forecast: its tables, definitions, exports, and what the terminal shows of it."""
