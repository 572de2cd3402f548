"""Other trading environments, each run by a small script of its own in a virtual environment of its own."""
