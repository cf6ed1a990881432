"""What one worker has at hand: the open publication, the model, and the answers made from them."""
