"""Hand-wired agents whose locus of adaptation is known: they calibrate the probes."""
