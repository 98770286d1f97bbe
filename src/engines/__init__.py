"""What runs the networks: MindSpore, or an engine that reads exported files.

An engine of exported files is one module like onnxruntime.py with an `ENGINE` (engine.Engine), whose `open` gives
`Networks` (engine.Networks). A new one is listed in choice.ENGINES, in the choices of the option `engine`
(options/stylize.py), in stylize.tiles.LIMITS and in docs/stylize.md.
"""
