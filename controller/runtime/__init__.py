"""Verbs: the only room that knows everybody. One pass: observe -> judge -> decide -> persist -> execute -> record."""
