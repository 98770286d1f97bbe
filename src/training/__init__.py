"""Training: what a step computes, the loop, and the files it leaves."""
