"""Pages for people: HTML made here with inline SVG, nothing from any other host; one script, that none depends on."""
