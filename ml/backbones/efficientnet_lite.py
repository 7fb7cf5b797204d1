"""Describe EfficientNet-Lite, Google's variant of EfficientNet (Tan and Le, 2019) for small machines.

It has no squeeze-and-excite blocks, ReLU6 instead of swish, and a stem and head that do not scale. The weights were
trained in TensorFlow, so `SAME` padding is TensorFlow's.
"""

from ml.backbones.inverted_residuals import Architecture, Block, BlockNames, BlockStage, Names


def _name_block(number: int, block: Block) -> BlockNames:
    name = f"_blocks.{number}"
    return BlockNames(
        expand=Names(f"{name}._expand_conv", f"{name}._bn0"),
        depthwise=Names(f"{name}._depthwise_conv", f"{name}._bn1"),
        project=Names(f"{name}._project_conv", f"{name}._bn2"),
    )


EFFICIENTNET_LITE = Architecture(
    stages=(
        BlockStage(1, 3, 1, 1, 16),
        BlockStage(2, 3, 2, 6, 24),
        BlockStage(2, 5, 2, 6, 40),
        BlockStage(3, 3, 2, 6, 80),
        BlockStage(3, 5, 1, 6, 112),
        BlockStage(4, 5, 2, 6, 192),
        BlockStage(1, 3, 1, 6, 320),
    ),
    stem=32,
    head=1280,
    stem_names=Names("_conv_stem", "_bn0"),
    head_names=Names("_conv_head", "_bn1"),
    classifier_name="_fc",
    name_block=_name_block,
    scale=1 / 128,
    offset=-127 / 128,
    epsilon=1e-3,
    pads_all_sides=False,
)
