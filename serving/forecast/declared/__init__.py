"""The output tables as they are declared, each figure once: columns, lists, and the words for them."""
