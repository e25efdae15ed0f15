"""The report of a finished run: one page of HTML that holds all of it, and asks for nothing from elsewhere."""
