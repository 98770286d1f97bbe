"""`auto` takes the fastest engine: by the processor, or by a measurement where many pictures wait, which is kept."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from src.config import defaults
from src.engines import choice as engines
from src.engines import fastest
from src.engines.choice import choose_engine
from src.engines.fastest import Work, find_fastest
from src.images.files import write_image
from src.stylize.jobs import Job, measure_work

FOLDER = Work(1000, 256 * 256)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def file(tmp_path):
    """Stands for an exported network."""
    path = tmp_path / "a_transfer.onnx"
    path.write_bytes(b"network")
    return path


@pytest.fixture
def race(monkeypatch):
    """Function of the seconds of each engine: the openers, and a list of the measurements that were made."""
    made = []

    def prepare(**seconds):
        def measure(networks, side):
            made.append((networks, side))
            return seconds[networks]

        monkeypatch.setattr(fastest, "measure", measure)
        return {name: lambda name=name: name for name in seconds}, made

    return prepare


def on_processor(monkeypatch, vendor, flags=()):
    monkeypatch.setattr(fastest, "processor", lambda: ("a processor", vendor, set(flags)))


@pytest.mark.parametrize("faster", ["openvino", "onnxruntime"])
def test_many_pictures_are_measured_for_once(faster, race, file):
    openers, made = race(**{name: 0.03 if name == faster else 0.04 for name in ("openvino", "onnxruntime")})
    assert find_fastest(openers, file, FOLDER) == faster
    assert made == [("openvino", 256), ("onnxruntime", 256)]
    assert find_fastest(openers, file, FOLDER) == faster
    assert find_fastest(openers, file, Work()) == faster  # one picture profits from what is known
    assert len(made) == 2


def test_each_size_is_measured_for_itself(race, file):
    openers, made = race(openvino=0.04, onnxruntime=0.03)
    find_fastest(openers, file, FOLDER)
    find_fastest(openers, file, Work(100, 1_000_000))
    assert [side for _, side in made] == [256, 256, 640, 640]
    assert len(json.loads(fastest.cache_file().read_text())) == 1


@pytest.mark.parametrize("work", [Work(), Work(1, 10**8), Work(3, 256 * 256), Work(100, 512 * 512)])
def test_one_picture_or_a_few_never_wait_for_a_measurement(work, race, file):
    openers, made = race(openvino=0.04, onnxruntime=0.03)
    find_fastest(openers, file, work)
    assert made == [] and not fastest.cache_file().exists()


@pytest.mark.parametrize(
    "vendor, flags, work, expected",
    [
        ("AuthenticAMD", (), Work(), "openvino"),
        ("GenuineIntel", (), Work(1, 256 * 256), "onnxruntime"),
        ("GenuineIntel", (), Work(1, 1024 * 1024), "openvino"),
        ("GenuineIntel", ("amx_tile",), Work(1, 256 * 256), "openvino"),
        ("", (), Work(), "openvino"),
    ],
)
def test_without_a_measurement_the_processor_decides(vendor, flags, work, expected, race, file, monkeypatch):
    on_processor(monkeypatch, vendor, flags)
    assert find_fastest(race(openvino=1, onnxruntime=1)[0], file, work) == expected


def test_another_network_processor_or_version_is_measured_anew(race, file, monkeypatch):
    openers, made = race(openvino=0.04, onnxruntime=0.03)
    find_fastest(openers, file, FOLDER)
    on_processor(monkeypatch, "GenuineIntel")
    find_fastest(openers, file, FOLDER)
    file.write_bytes(b"another network")
    find_fastest(openers, file, FOLDER)
    monkeypatch.setattr(fastest.importlib.metadata, "version", lambda name: "99")
    find_fastest(openers, file, FOLDER)
    assert len(made) == 8


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"a": 3}'])
def test_a_damaged_cache_is_written_anew(damage, race, file):
    openers, made = race(openvino=0.04, onnxruntime=0.03)
    fastest.cache_file().parent.mkdir(parents=True)
    fastest.cache_file().write_text(damage)
    for _ in range(2):
        assert find_fastest(openers, file, FOLDER) == "onnxruntime"
    assert len(made) == 2


def test_a_cache_that_can_not_be_written_is_done_without(race, file, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    openers, made = race(openvino=0.04, onnxruntime=0.03)
    assert find_fastest(openers, file, FOLDER) == "onnxruntime" and len(made) == 2


def test_measuring_is_bounded_and_leaves_out_the_first_run(monkeypatch):
    clock, durations = [0.0], [5.0, *[0.06] * 100]
    monkeypatch.setattr(fastest.time, "perf_counter", lambda: clock[0])

    class Networks:
        content_size, embedding_dim, runs = None, 7, 0

        def transfer(self, content, embedding):
            assert content.shape == (1, 3, 256, 256) and embedding.shape == (1, 7)
            clock[0] += durations[self.runs]
            Networks.runs = self.runs + 1

    assert fastest.measure(Networks(), 256) == pytest.approx(0.06)
    assert Networks.runs == 1 + 4  # until a fifth of a second is over


# what is waiting


def test_work_is_counted_and_sized_from_the_headers(tmp_path):
    (tmp_path / "broken.jpg").write_text("no picture")
    jobs = [Job(tmp_path / "broken.jpg", None)]
    for number, size in enumerate(((100, 200), (30, 40), (50, 60))):
        write_image(tmp_path / f"{number}.png", np.zeros((*size, 3), np.uint8))
        jobs.append(Job(tmp_path / f"{number}.png", None))
    assert measure_work(jobs) == Work(4, 50 * 60)
    assert measure_work(jobs[1:2], size=50) == Work(1, 50 * 100)
    assert measure_work(jobs[:1]) == Work(1, 0)


# what asks


@pytest.mark.parametrize(
    "options, expected",
    [({"precision": "bfloat16"}, "openvino"), ({"device_target": "GPU"}, "onnxruntime"), ({}, "onnxruntime")],
)
def test_options_that_one_engine_lacks_decide_before_speed(options, expected, monkeypatch):
    monkeypatch.setattr(engines, "installed", lambda name: True)
    monkeypatch.setattr(engines, "find_fastest", lambda *_: "onnxruntime")
    runtime = defaults(runtime=options)["runtime"]
    assert choose_engine("auto", "", runtime) == expected


def test_a_folder_on_the_command_line_says_how_much_there_is(tmp_path, monkeypatch, image):
    import stylize

    asked = []

    def stop(*_, work, **__):
        asked.append(work)
        raise KeyboardInterrupt

    monkeypatch.setattr("src.stylize.stylizer.Stylizer.open", stop)
    for number in range(3):
        write_image(tmp_path / "in" / f"{number}.png", image(40, 60, number))
    write_image(tmp_path / "style.png", image(40, 40, 9))
    with pytest.raises(KeyboardInterrupt):
        stylize.main([str(tmp_path / "in"), str(tmp_path / "style.png"), "-o", str(tmp_path / "out"), "--size", "80"])
    assert asked == [Work(3, 80 * 120)]


def test_the_processor_is_read_or_unknown(monkeypatch):
    assert isinstance(fastest.processor()[2], set)
    monkeypatch.setattr(
        fastest, "Path", lambda _: SimpleNamespace(read_text=lambda **_: (_ for _ in ()).throw(OSError()))
    )
    assert fastest.processor() == ("", "", set())
