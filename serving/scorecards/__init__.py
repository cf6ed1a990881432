"""Books of CSMs and sellers beside what they were expected to do, and pay plans replayed over past quarters."""
