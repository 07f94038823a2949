"""The command line: parse, call one function, print. Heavy rooms are imported inside of the commands."""
