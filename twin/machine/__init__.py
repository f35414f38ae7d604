"""The user's machine: processes, addresses, files and the state folder."""
