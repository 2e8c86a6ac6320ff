"""How an installation wants the program to behave, from a file, the environment and flags: `model.settings`."""
