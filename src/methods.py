"""The four methods of style transfer: a row each, which states the facts in which they differ.

A row has facts, no behaviour. Code that does something else for a method asks its row by the name of the fact
(`network.traits.has_table`), never for the method's name. So a fifth method is a fifth row.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """What is true of a method.

    Attributes:
        name: what `--method` calls it.
        paper: authors and year.
        arxiv: number at arxiv.org of the paper, or of its first version.
        style_from: where a style comes from, in words.
        recipe: the file of options, from the project's folder, that shows the method.
        has_networks: whether there are networks, which are trained and exported, and which make a pastiche in one pass.
            Without networks each pastiche is optimised by itself: nothing is trained or exported.
        has_table: whether styles are rows of a table, picked by name. Otherwise a style is any image.
        has_one_style: whether the style is a part of the network, so that nobody has to pick one.
        takes_more_styles: whether a trained table can get rows for further styles.
    """

    name: str
    paper: str
    arxiv: str
    style_from: str
    recipe: str
    has_networks: bool = True
    has_table: bool = False
    has_one_style: bool = False
    takes_more_styles: bool = False


ROWS = (
    Method(
        name="arbitrary",
        paper="Ghiasi et al. 2017",
        arxiv="1705.06830",
        style_from="any image, which a style prediction network embeds",
        recipe="configs/modelzoo.yaml",
    ),
    Method(
        name="n_styles",
        paper="Dumoulin et al. 2016",
        arxiv="1610.07629",
        style_from="a table of the styles that were trained",
        recipe="configs/n_styles.yaml",
        has_table=True,
        takes_more_styles=True,
    ),
    Method(
        name="single_style",
        paper="Johnson et al. 2016",
        arxiv="1603.08155",
        style_from="the one style that was trained",
        recipe="configs/single_style.yaml",
        has_table=True,
        has_one_style=True,
    ),
    Method(
        name="optimize",
        paper="Gatys et al. 2016",
        arxiv="1508.06576",
        style_from="any images, whose Gram matrices the pastiche is optimised for",
        recipe="configs/optimize.yaml",
        has_networks=False,
    ),
)
METHODS = {row.name: row for row in ROWS}
