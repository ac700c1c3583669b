"""One analytic policy a file; each is found by its presence here."""
