"""A task as processes: its application, its proxy, its health checks and its metadata."""
