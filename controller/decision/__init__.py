"""Pure: position + evidence + observation -> decision. Tables and rules; no I/O, no clock."""
