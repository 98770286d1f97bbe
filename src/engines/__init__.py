"""What runs the networks: MindSpore, or an engine that reads exported files."""
