"""The nouns of the program as frozen dataclasses. Pure: imports nothing but the standard library's data tools."""
