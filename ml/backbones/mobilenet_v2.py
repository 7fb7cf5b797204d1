"""Describe MobileNetV2 (Sandler et al., 2018) as torchvision defines and trained it.

The pixels are normalised with ImageNet's mean and deviation, and padding is the same on all sides.
"""

from ml.backbones.inverted_residuals import Architecture, Block, BlockNames, BlockStage, Names

# Of ImageNet's pixels on a scale of 0..1, red, green, blue; the numbers that torchvision's networks are trained with.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def _name_block(number: int, block: Block) -> BlockNames:
    """Name a block's layers: (expand,) depthwise, each with its normalisation inside, project, its normalisation."""
    name = f"features.{number + 1}.conv"
    depthwise = 0 if block.expand == 1 else 1
    return BlockNames(
        expand=Names(f"{name}.0.0", f"{name}.0.1"),
        depthwise=Names(f"{name}.{depthwise}.0", f"{name}.{depthwise}.1"),
        project=Names(f"{name}.{depthwise + 1}", f"{name}.{depthwise + 2}"),
    )


MOBILENET_V2 = Architecture(
    stages=(
        BlockStage(1, 3, 1, 1, 16),
        BlockStage(2, 3, 2, 6, 24),
        BlockStage(3, 3, 2, 6, 32),
        BlockStage(4, 3, 2, 6, 64),
        BlockStage(3, 3, 1, 6, 96),
        BlockStage(3, 3, 2, 6, 160),
        BlockStage(1, 3, 1, 6, 320),
    ),
    stem=32,
    head=1280,
    stem_names=Names("features.0.0", "features.0.1"),
    head_names=Names("features.18.0", "features.18.1"),
    classifier_name="classifier.1",
    name_block=_name_block,
    scale=[1 / (255 * deviation) for deviation in DEVIATION],
    offset=[-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)],
    epsilon=1e-5,
    pads_all_sides=True,
)
