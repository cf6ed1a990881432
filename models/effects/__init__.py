"""What an action changes: orthogonal estimates with honest intervals, what tries to refute them, what may be said."""
