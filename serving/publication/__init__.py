"""What the service answers from: gathered from one forecast, written as one file, read by account."""
