"""One online update rule a file: memoryless policies whose weights change every trial."""
