"""Serves the page and the HTTP service: python app.py, then open the address that it prints.

python app.py --port 8000
python app.py --host 0.0.0.0 --token_file token.txt
"""

import importlib.util
import sys
from pathlib import Path

from src.config import parse
from src.engines.choice import BUNDLED
from src.errors import UserError, os_error_line, run_entry
from src.stylize.chosen import open_chosen

NEEDED = ("fastapi", "uvicorn", "python_multipart")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def read_token(path) -> str:
    """The first line of a file.

    Raises:
        UserError: no such file, or an empty first line.
    """
    if not path:
        return ""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        text = os_error_line(error) if isinstance(error, OSError) else f"{path}: is no text"
        raise UserError(f"option token_file: {text}") from None
    if not lines or not lines[0].strip():
        raise UserError(f"option token_file: {path}: its first line is empty, expected the token")
    return lines[0].strip()


def main(argv):
    """Reads the options, loads the model, serves until a signal comes, returns the exit code."""
    options = parse(
        argv,
        ("service", "stylize.engine", "stylize.checkpoint", "stylize.inception_ckpt", "stylize.tile", "runtime"),
        "Serves the page and the HTTP service.",
    )
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"{', '.join(missing)}: not installed in this Python; run 'pip install -r requirements-app.txt'"
        )
    settings, stylize = options.service, options.stylize
    token = read_token(settings.token_file)
    stylizer, _ = open_chosen(stylize, options.runtime)
    if settings.host not in LOOPBACK and not token:
        print(
            "warning: everybody who reaches this address may use the service; --token_file asks for a token",
            file=sys.stderr,
        )

    from src.service.application import create_application
    from src.service.server import serve

    name = Path(stylize.checkpoint or BUNDLED).stem.removesuffix("_transfer").removesuffix("_predictor")
    application = create_application(stylizer, settings, name, token)
    application.state.model.warm_up()
    serve(application, settings)
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
