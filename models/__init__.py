"""Pure estimators and arithmetic: no files, no clock, no tracking, no global random state."""
