"""MindSpore as the reader of exported MindIR files. Importing this module does not import mindspore."""

import shutil

from src.engines.engine import Engine, refuse_precision
from src.engines.exported import ExportedNetworks, Graph, assemble, failure, free_or_fixed, read_description
from src.engines.quiet import quiet_unless_it_works
from src.files import temporary_folder


def read_graph(path):
    """The graph of a MindIR file of any name. MindSpore itself refuses names that are not text."""
    import mindspore as ms

    try:
        str(path).encode()
    except UnicodeEncodeError:
        with temporary_folder() as folder:
            return ms.load(str(shutil.copy(path, folder / "graph.mindir")))
    return ms.load(str(path))


def open_mindir(files, device="auto", precision="float32") -> ExportedNetworks:
    """A pair of MindIR files, predictor and transfer network, run by MindSpore. The JSON files describe their inputs.

    Args:
        files: see `assemble`.
        device: not read; the device is that of `src.runtime.setup`.
        precision: float32, the only one.

    Raises:
        UserError: another precision, or a JSON file is missing; see also `assemble`.
    """
    refuse_precision("mindir", precision)
    import mindspore as ms

    errors = (RuntimeError, ValueError, TypeError)

    def read(path):
        description = read_description(path)
        inputs = {port["name"]: free_or_fixed(port["shape"]) for port in description["inputs"]}
        outputs = [free_or_fixed(port["shape"]) for port in description["outputs"]]
        try:
            with quiet_unless_it_works():
                cell = ms.nn.GraphCell(read_graph(path))
        except errors as error:
            raise failure(f"checkpoint {path}: MindSpore can't read it, it is damaged or no MindIR", error) from None

        def run(given):
            return [cell(*(ms.Tensor(given[name]) for name in inputs)).asnumpy()]

        return Graph(path, inputs, outputs, run, errors)

    return assemble("mindir", files, read)


ENGINE = Engine(
    name="mindir",
    package="mindspore",
    suffix=".mindir",
    requirements="requirements.txt",
    open=open_mindir,
)
