"""What each tool's tables look like, and the SQL that makes tables of the contract of them, a tool a module."""
