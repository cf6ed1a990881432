"""Pages for people: HTML made here with inline SVG, no script, nothing from any other host."""
