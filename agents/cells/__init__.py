"""One sequence model a file; each is found by its presence here."""
