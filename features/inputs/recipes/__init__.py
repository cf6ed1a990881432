"""Ready mappings: recognises what tools export by its columns, and proposes the settings that read it."""
