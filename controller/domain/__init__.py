"""The nouns of the house: frozen values from the standard library only. No I/O, no clock, no randomness."""
