"""Who was erased: the list of them without their names, and how it is applied to rows, files and what is stored."""
