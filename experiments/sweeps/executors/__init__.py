"""Where orders are carried out: ``base`` is the interface, ``chosen`` says which one is in use."""
