"""WORDS: one Jinja file a role; a missing or an unused variable is an error."""
