"""How cells are read: a source's columns mapped to the contract's, each typed in SQL, and the order of dates."""
