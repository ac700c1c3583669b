"""One claim of the debate a file; each is found by its presence here."""
