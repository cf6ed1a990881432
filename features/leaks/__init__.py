"""Leaks that only data can show: what the tables know today and could not have known then, and what that costs."""

from features.leaks.finding import Grade, Known, Leak, Leaks, Strongest
from features.leaks.search import find_leaks, proven_leaks

__all__ = ["Grade", "Known", "Leak", "Leaks", "Strongest", "find_leaks", "proven_leaks"]
