"""What ranks have in common: first weights by checksum, and the samples that a run goes on with on other ranks."""

from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest

from src.config import defaults
from src.data.dataset import PairedImages
from src.errors import UserError
from src.models.compact_prediction import StatisticsEmbedding
from src.training.distillation.statistics import standardise_statistics
from src.training.ranks import check_same_weights, checksum


class Weight:
    """Stands for a Parameter."""

    def __init__(self, *values):
        self.values = np.array(values, np.float32)

    def asnumpy(self):
        return self.values


def slots(weights):
    """What each rank hands in to be summed."""
    handed = []
    for rank, one in enumerate(weights):

        def keep(array):
            handed.append(array)
            return np.zeros_like(array)

        check_same_weights(one, SimpleNamespace(rank=rank, rank_size=len(weights)), keep)
    return sum(handed)


def test_ranks_with_the_same_weights_go_on_and_others_are_named():
    same = {"a": Weight(1, 2), "b": Weight(3)}
    other = {"a": Weight(1, 2), "b": Weight(3.0000002)}
    runtime = SimpleNamespace(rank=0, rank_size=3)
    sums = slots([same, same, same])
    assert check_same_weights(same, runtime, lambda _: sums) is None
    sums = slots([same, same, other])
    with pytest.raises(UserError, match="rank 2 differs from rank 0"):
        check_same_weights(same, runtime, lambda _: sums)


def test_the_checksum_knows_names_and_values():
    numbers = {checksum({"a": Weight(1, 2)}), checksum({"b": Weight(1, 2)}), checksum({"a": Weight(2, 1)})}
    assert len(numbers) == 3


def files(image_folders, ranks, batch, steps, go_on=None):
    """The content files that all ranks together draw in steps, in order."""
    folders = {"content_path": str(image_folders[0]), "style_path": str(image_folders[1])}
    data = defaults(data={**folders, "batch_size": batch, "image_size": 32, "min_side": 16})["data"]
    found = []
    for step in steps:
        for rank in range(ranks):
            images = PairedImages(data, 1, rank, ranks)
            if go_on:
                images.go_on(*go_on)
            found += images.batch_files(step)[0]
    return found


def test_a_run_goes_on_with_the_next_sample_on_another_number_of_ranks(image_folders):
    whole = files(image_folders, 1, 1, range(24))
    assert whole[:12] == files(image_folders, 2, 2, range(3))
    # step 3 on three ranks of one, after 12 samples
    assert whole[12:18] == files(image_folders, 3, 1, range(3, 5), go_on=(3, 12))
    # the same samples a step need no shift
    assert whole[12:16] == files(image_folders, 4, 1, [3], go_on=(3, 12)) == files(image_folders, 4, 1, [3])
    images = PairedImages(
        defaults(data=dict(zip(("content_path", "style_path"), map(str, image_folders), strict=True)))["data"], 1
    )
    images.go_on(3, 12)
    assert images.samples_before(3) == 12


class MeanColours(StatisticsEmbedding):
    """A predictor that embeds the mean colours of a style, the channels of one feature map."""

    def own_statistics(self, style):
        return ms.ops.concat((style.mean((2, 3)), style.mean((2, 3))), 1)


def test_every_rank_standardises_a_predictor_over_the_same_styles(few_statistics, image_folders):
    """Each took its own styles once: the ranks trained different networks, and a resumed run was another one."""
    found = []
    for rank in range(2):
        folders = {"content_path": str(image_folders[0]), "style_path": str(image_folders[1])}
        data = defaults(data={**folders, "batch_size": 2, "image_size": 32, "min_side": 16})["data"]
        images = PairedImages(data, 1, rank, 2)
        predictor = MeanColours((3,), 4)
        own = images.batch_files(0)
        standardise_statistics(predictor, images, 32)
        assert predictor.standardised and images.batch_files(0) == own
        found.append((predictor.center.asnumpy(), predictor.scale.asnumpy()))
    assert np.array_equal(found[0], found[1])
