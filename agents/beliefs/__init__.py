"""What reference policies know: posteriors, filters, and plans over them."""
