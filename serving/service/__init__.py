"""The HTTP service: its API, the guard before all of it, and how it starts."""
