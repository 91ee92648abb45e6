"""The encoder's two nets in the contract of deepghs' CCIP: pictures to features, features to differences."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

INPUT_SIZE = 384
SIZE = 64
WIDTHS = (24, 48, 96, 128)
FEATURE = 128


class Block(nn.Module):
    """Two 3x3 convolutions beside a 1x1 shortcut; halves the side."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.one = nn.Sequential(
            nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
        )
        self.two = nn.Sequential(nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after))
        self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride=2, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, before, S, S) -> (B, after, S/2, S/2)."""
        return F.relu(self.two(self.one(x)) + self.shortcut(x))


class FeatureNet(nn.Module):
    """Stem, three residual blocks, mean and maximum over the last 4 x 4 places, a linear layer; 0.5 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, WIDTHS[0], 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU()
        )
        self.blocks = nn.Sequential(*(Block(a, b) for a, b in pairwise(WIDTHS)))
        self.head = nn.Linear(2 * WIDTHS[-1], FEATURE)

    def small(self, pictures: torch.Tensor) -> torch.Tensor:
        """Normalised pictures (B, 3, 64, 64) -> features (B, 128)."""
        maps = self.blocks(self.stem(pictures))
        return self.head(torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Normalised pictures (B, 3, 384, 384), as the contract has them, pooled to 64 px -> features (B, 128)."""
        return self.small(F.avg_pool2d(pictures, INPUT_SIZE // SIZE))


class DifferenceNet(nn.Module):
    """Features (N, 128) -> differences (N, N) in [0, 1]: half of one minus the cosine."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """0 for features of one direction, 0.5 at a right angle, 1 for opposite ones."""
        unit = features / features.norm(dim=1, keepdim=True)
        return ((1 - unit @ unit.T) / 2).clamp(0, 1)


def seen_small(pictures: torch.Tensor) -> torch.Tensor:
    """What the net sees of 64 px pictures (B, 3, 64, 64) that were enlarged bilinearly to 384 and pooled again.

    Enlarging by 6 and averaging by 6 mixes each pixel with its neighbours by 1/8, 3/4, 1/8 along each axis.
    """
    kernel = torch.tensor([0.125, 0.75, 0.125], dtype=pictures.dtype).expand(pictures.shape[1], 1, 1, 3)
    rows = F.conv2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), kernel, groups=pictures.shape[1])
    return F.conv2d(rows, kernel.transpose(2, 3), groups=pictures.shape[1])
