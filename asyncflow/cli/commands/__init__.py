"""One module per command, imported when the command is used; each has it as `command`."""
