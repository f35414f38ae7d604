"""Load that counts per hostname."""
