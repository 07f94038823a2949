"""Text becomes nouns here: YAML at the door, pydantic for its shape, frozen values inside. No files, no network."""
