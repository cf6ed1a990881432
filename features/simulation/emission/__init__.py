"""What the simulated company's tables show of its recorded history, in the contract's names and types."""
