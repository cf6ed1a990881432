"""Files of a source: which there are, in what encoding and with which header, and what to select each table from."""
