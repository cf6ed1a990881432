"""Realised retention between any two dates: by any column, with its movements, as a table and as a workbook."""
