"""Erasing an account or a person: from publications, exports, the record and the log, and what is kept how long."""
