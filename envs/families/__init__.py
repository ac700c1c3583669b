"""One task family a file; each is found and registered by its presence here."""
