"""The HTTP service of app.py: requests pass the gate, wait in the queue, and are stylised by the one model in memory.

gate.py counts bytes and seconds, asks for the token and writes the log; forms.py and pictures.py turn a body into
pictures; work.py is the bounded queue; model.py holds networks, gallery and embeddings; routes.py, inference.py and
videos.py are the addresses; page/ is the page.
"""
