"""What no rule about a single row can see: what the tables come to in money, and habits of sources that spoil it."""

from features.traps.second_look import SecondLook, second_look

__all__ = ["SecondLook", "second_look"]
