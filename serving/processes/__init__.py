"""The team's processes by quarter: what they were, what is estimated of them, and what would follow for NRR."""
