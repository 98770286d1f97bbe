"""Graphs for other engines: MindIR, AIR and ONNX. Each graph is compared with the network that was exported."""
