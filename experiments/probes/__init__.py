"""One measurement a file; each is found by its presence here."""
