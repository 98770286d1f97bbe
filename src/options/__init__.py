"""Every option, once: a field of a frozen dataclass with its value, its help and what is allowed."""
