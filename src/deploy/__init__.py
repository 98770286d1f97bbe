"""Graphs for other engines: MindIR, AIR and ONNX, each checked against the network it came from."""
