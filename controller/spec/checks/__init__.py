"""What no single field can know: every check takes the readable parts of a spec and answers with findings."""
