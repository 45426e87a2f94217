"""Names, places, dates and numbers in running text."""
