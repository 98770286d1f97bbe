"""What can be said of Ascend without one: the operators that graphs need, and where these are known to exist."""
