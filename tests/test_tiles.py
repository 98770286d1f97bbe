"""Large contents: tiles cover them, join without a seam, and come out as without tiles."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import stylize
from src.engines.choice import installed, open_networks
from src.engines.exported import Architecture
from src.errors import UserError, run_entry
from src.images.files import read_image, to_network, write_image
from src.models.factory import create_model
from src.stylize import tiles
from src.stylize.stylizer import Stylizer

SIZE = (400, 520)
TILE = 192
# of a pixel through the layers: 9x9 at full size, 3x3 at half and ten at a quarter, and the same way back
# (4 + 1 + 2 + 10 * 4 + 2 + 1 + 4), and what the two enlargements and the blocks of the last convolution round away
REACH = 56


@pytest.fixture(scope="module")
def reference(tiny_checkpoint):
    return Stylizer.open(tiny_checkpoint, engine="mindspore")


@pytest.fixture(scope="module")
def exported(tiny_checkpoint, tmp_path_factory):
    """One of the three files of the tiny model that export.py writes for ONNX Runtime and OpenVINO."""
    pytest.importorskip("onnx", reason="needs requirements-onnx.txt")
    from src.config import defaults
    from src.deploy.exporter import export
    from src.runtime import setup

    folder, runtime = tmp_path_factory.mktemp("parts"), setup(defaults()["runtime"])
    for part in ("predictor", "transfer", "tiles"):
        setting = {"ckpt_path": str(tiny_checkpoint), "parts": part, "file_name": str(folder / f"tiny_{part}")}
        export(defaults(export={**setting, "file_format": "ONNX", "dynamic": True})["export"], runtime)
    return str(folder / "tiny_transfer.onnx")


def psnr(a, b):
    return 10 * np.log10(255**2 / np.square(a.astype(float) - b).mean())


def cut(monkeypatch, crop, collected):
    """Lets the first pass take small crops, and few pixels of them at once."""
    monkeypatch.setattr(tiles, "CROP", crop)
    monkeypatch.setattr(tiles, "MOST_COLLECTED", collected)


# the plan


@pytest.mark.parametrize("side", [128, 132, 192, 768])
def test_tiles_keep_every_pixel_once_away_from_their_borders(side):
    for length in [*range(16, 1700, 4), 4320, 7680]:
        spans = tiles.plan_tiles(length, side)
        assert [spans[0].kept.start, spans[-1].kept.stop] == [spans[0].seen.start, spans[-1].seen.stop] == [0, length]
        assert {span.seen.stop - span.seen.start for span in spans} == {min(side, length)}
        for span, after in zip(spans[:-1], spans[1:], strict=True):
            assert span.kept.stop == after.kept.start and after.seen.start % 4 == 0
            assert min(span.seen.stop - span.kept.stop, after.kept.start - after.seen.start) >= REACH


@pytest.mark.parametrize("size", [(16, 16), (512, 516), (4320, 7680), (100, 20000), (2048, 2048)])
@pytest.mark.parametrize("pixels", [1, 600_000, 4_500_000])
def test_crops_cover_the_picture_in_batches_that_fit(size, pixels):
    batches = tiles.plan_crops(*size, pixels)
    seen = np.zeros(size, np.uint8)
    for batch in batches:
        taken = [seen[crop] for crop in batch]
        assert len({part.shape for part in taken}) == 1 and not np.array(taken[0].shape) % 4 @ [1, 1]
        assert len(batch) == 1 or sum(part.size for part in taken) < pixels + taken[0].size
        for crop in batch:
            seen[crop] += 1
    assert seen.min() == 1 and seen.mean() < 1.05


def test_every_batch_is_spread_over_the_picture():
    batches = tiles.plan_crops(4320, 7680, 4_500_000)
    assert len(batches) > 4
    for batch in batches:
        centre = np.mean([(rows.start + 240, columns.start + 256) for rows, columns in batch], axis=0)
        assert np.abs(centre / (4320, 7680) - 0.5).max() < 0.1


# the passes


def test_every_crop_counts_alike_in_the_statistics():
    content, half = np.zeros((32, 32, 3), np.uint8), (slice(0, 16), slice(16, 32))
    content[:16, :16], content[:16, 16:], content[16:] = 51, 102, 255
    batches = [[(half[0], half[0]), (half[0], half[1])], [(half[1], half[0])]]
    networks = SimpleNamespace(collect=lambda crops, embedding: np.full((2, 5), crops.mean()))
    seen = []
    found = tiles.collect_statistics(networks, content, None, batches, 0.1, seen.append)
    np.testing.assert_allclose(found, np.full((2, 5), (0.2 + 0.4 + 1) / 3 - 0.1), rtol=1e-5)
    assert seen == [2 * 256, 256]


@pytest.mark.parametrize("upsampling, ends", [("nearest", "full"), ("bilinear", "full"), ("nearest", "half")])
def test_tiles_join_without_a_seam(upsampling, ends, image):
    """With the same statistics, tiles give each pixel what one tile of the whole picture gives it."""
    from src.config import defaults
    from src.engines.mindspore_networks import MindSporeNetworks

    shape = {"width": 0.25, "upsampling": upsampling, "ends": ends}
    networks = MindSporeNetworks(create_model(defaults(network={"predictor": "compact", **shape})["network"]))
    content, embedding = image(240, 328, 0), np.ones((1, networks.embedding_dim), np.float32)
    one, many = (tiles.stylize_tiled(networks, content, embedding, side, 0) for side in (512, 128))
    assert one.std() > 5
    assert np.abs(one.astype(int) - many).max() <= 1


@pytest.mark.parametrize("ends", ["full", "half"])
def test_a_pixel_reaches_as_far_as_the_tiles_overlap(ends, image):
    """With the statistics fixed, a change of a block of pixels changes nothing further than `REACH` away."""
    from src.config import defaults
    from src.engines.mindspore_networks import MindSporeNetworks

    shape = {"predictor": "compact", "width": 0.25, "ends": ends}
    networks = MindSporeNetworks(create_model(defaults(network=shape)["network"]))
    content, embedding = to_network(image(160, 160, 0)), np.ones((1, networks.embedding_dim), np.float32)
    changed = content.copy()
    changed[..., 80:84, 80:84] = 1 - changed[..., 80:84, 80:84]
    statistics = networks.collect(content, embedding)
    before, after = (networks.transfer_tile(x, embedding, statistics) for x in (content, changed))
    _, _, rows, columns = np.nonzero(np.abs(before - after) > 1e-6)
    reach = max(80 - rows.min(), rows.max() - 83, 80 - columns.min(), columns.max() - 83)
    assert 45 < reach <= REACH


@pytest.mark.parametrize("crop, collected, least", [(512, 10**6, 40), (128, 60_000, 28)], ids=["one batch", "batches"])
def test_tiled_is_as_untiled(crop, collected, least, reference, image, monkeypatch):
    cut(monkeypatch, crop, collected)
    content, embedding = image(*SIZE, 0), reference.embed(image(64, 64, 1))
    tiled = Stylizer(reference.networks, tile=TILE).stylize(content, embedding)
    assert psnr(tiled, reference.stylize(content, embedding)) > least


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_engine_tiles_as_mindspore_does(engine, exported, reference, image):
    if not installed(engine):
        pytest.skip(f"{engine} is not installed (requirements-{engine}.txt)")
    networks = open_networks(engine, exported)
    content, style = image(*SIZE, 0), image(64, 64, 1)
    pictures = [Stylizer(n, tile=TILE).stylize(content, reference.embed(style)) for n in (networks, reference.networks)]
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() <= 2
    assert psnr(pictures[0], reference.stylize(content, reference.embed(style))) > 40


def test_weights_are_shared_not_copied(reference):
    original = {id(parameter) for parameter in reference.networks.model.transfer.get_parameters()}
    tiling = reference.networks._tiling
    for network in (tiling.collecting, tiling.tiling):
        own = [parameter for parameter in network.get_parameters() if id(parameter) not in original]
        assert {parameter.name.rsplit(".", 1)[-1] for parameter in own} == {"mean", "variance"}
        assert len({parameter.name for parameter in own}) == len(own) == 32
    assert all(p.name.startswith("transfer.") for p in reference.networks.model.transfer.get_parameters())


# what is tiled


def tiled(stylizer, content):
    """Whether a content was stylised in tiles; then its progress rises to the whole."""
    steps = []
    pastiche = stylizer.stylize(content, np.zeros(stylizer.embedding_dim), lambda *step: steps.append(step))
    assert pastiche.shape == content.shape
    if steps:
        done, total = zip(*steps, strict=True)
        assert list(done) == sorted(set(done)) and done[-1] == total[0] and len(set(total)) == 1
    return bool(steps)


def test_large_contents_are_tiled(reference, image, monkeypatch):
    assert not tiled(reference, image(62, 50))
    monkeypatch.setitem(tiles.LIMITS, "mindspore", tiles.Limits(3000, 1, 128))
    assert tiled(reference, image(62, 50))
    assert not tiled(reference, image(60, 50))


def test_contents_that_do_not_fit_into_the_free_memory_are_tiled(reference, image, monkeypatch):
    """Half of what is free is taken, and a network of a quarter of the width takes a quarter of 1100 bytes a pixel."""
    monkeypatch.setitem(tiles.LIMITS, "mindspore", tiles.Limits(2_200_000, 1_100, 128))
    needed = 160 * 104 * 1100 * 0.25
    monkeypatch.setattr(tiles, "free_memory", lambda: 1.98 * needed)
    assert tiled(reference, image(160, 104))
    monkeypatch.setattr(tiles, "free_memory", lambda: 2.02 * needed)
    assert not tiled(reference, image(160, 104))


@pytest.mark.parametrize(
    "free, pixels, side",
    [(0, 1536**2, 0), (0, 1536**2 + 1, 1536), (2**36, 12_500_000, 0), (2**36, 12_500_001, 1536)],
)
def test_a_content_of_a_single_tile_does_not_depend_on_the_free_memory(free, pixels, side, monkeypatch):
    """Two runs of a small video differed: without free memory its frames were stylised in tiles."""
    monkeypatch.setattr(tiles, "free_memory", lambda: free)
    assert tiles.chosen_side(SimpleNamespace(name="onnxruntime", architecture=Architecture()), pixels) == side


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    "gigabytes, width, pixels, whole",
    [
        (8, 0.5, 3840 * 2160, True),  # 3 GB of them
        (4, 0.5, 3840 * 2160, False),
        (8, 1.0, 3840 * 2160, False),
        (16, 1.0, 3840 * 2160, True),
        (64, 0.5, 7680 * 4320, False),  # however much is free, to stay within 4 GB
        (1, 0.5, 1000 * 1000, True),
    ],
)
def test_what_is_stylised_whole_without_mindspore(engine, gigabytes, width, pixels, whole, monkeypatch):
    monkeypatch.setattr(tiles, "free_memory", lambda: gigabytes * 2.0**30)
    networks = SimpleNamespace(name=engine, architecture=Architecture(width=width))
    assert (pixels <= tiles.fitting_pixels(networks)) == whole


class Repeating:
    """An engine without a graph for tiles whose pastiche is its input."""

    name, can_tile, styles, embedding_dim, content_size, architecture = (
        "onnxruntime",
        False,
        (),
        100,
        None,
        Architecture(),
    )

    def transfer(self, content, _):
        return content


def test_without_tiles_little_memory_does_not_make_a_tiny_picture(image, monkeypatch):
    monkeypatch.setattr(tiles, "free_memory", lambda: 1e6)
    content = image(300, 400, 0)
    assert (Stylizer(Repeating()).stylize(content, np.zeros(100)) == content).all()


def test_an_engine_without_a_graph_for_tiles(image):
    content = image(32, 32, 0)
    assert (Stylizer(Repeating()).stylize(content, np.zeros(100)) == content).all()
    with pytest.raises(UserError, match="option tile: found 512, but onnxruntime has no graph.*--parts tiles"):
        Stylizer(Repeating(), tile=512)


# stylize.py


def test_tile_on_the_command_line(tiny_checkpoint, reference, image, tmp_path):
    write_image(tmp_path / "photo.png", image(150, 201, 0))
    write_image(tmp_path / "painting.png", image(64, 64, 1))
    files = [str(tmp_path / name) for name in ("photo.png", "painting.png", "out.png")]
    options = ["--tile", "128", "--checkpoint", str(tiny_checkpoint), "--engine", "mindspore"]
    assert run_entry(stylize.main, [*files[:2], "-o", files[2], *options]) == 0
    content, style = map(read_image, files[:2])
    expected = Stylizer(reference.networks, tile=128).stylize(content, reference.embed(style))
    assert (read_image(files[2]) == expected).all()


def test_tiles_run_without_mindspore(root, exported, tmp_path):
    program = (
        "import sys; sys.modules['mindspore'] = None\n"
        "import numpy as np; from src.stylize.stylizer import Stylizer\n"
        "stylizer = Stylizer.open(sys.argv[1], engine='onnxruntime', tile=128)\n"
        "content = np.random.default_rng(0).integers(0, 256, (130, 200, 3), np.uint8)\n"
        "print(stylizer.stylize(content, np.zeros(100)).shape)"
    )
    done = subprocess.run([sys.executable, "-c", program, exported], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "(130, 200, 3)\n"), done.stderr
