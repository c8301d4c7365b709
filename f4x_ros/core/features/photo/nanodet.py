# SPDX-License-Identifier: Apache-2.0
"""NanoDet-g (Lyu 2021): boxes and scores of COCO's 80 classes, without non-maximum suppression.

A CSP backbone (Wang et al. 2020) of plain 3x3 convolutions, a path aggregation network that only
adds (Liu et al. 2018), and a head per stride whose distances to the sides of a box are means over
eleven steps (Li et al., Generalized focal loss, 2020). Normalisations are folded into the
convolutions. Every place of every stride gives one box.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from f4x_ros.core.errors import BadInputError

CLASSES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
"""What the scores are of, in their order; COCO's names."""

SIDE = 416
"""Longer side of the pictures it learned from, in pixels."""

_STRIDES = (8, 16, 32)
_STEPS = 11  # of a distance: 0 to 10 strides
_MEAN = (123.675, 116.28, 103.53)  # of red, green, blue, 0..255
_SPREAD = (58.395, 57.12, 57.375)
_SLOPE = 0.1  # of the leaky activations below zero
_STEM, _NECK = 32, 128  # channels
_STAGES = ((32, 1), (64, 2), (128, 2), (256, 3))  # channels coming in, blocks
_SEEN = 3  # stages, from the last, that the neck sees


class Detections(NamedTuple):
    """Boxes of B pictures, N each.

    Attributes:
        boxes: [B, N, 4] x0, y0, x1, y1 as shares of the picture's width and height; they may reach
            beyond it.
        scores: [B, N, 80], 0..1, in the order of `CLASSES`.
    """

    boxes: Tensor
    scores: Tensor


class NanoDet(nn.Module):
    """Pictures to `Detections`; untrained until weights are loaded (`load_nanodet`).

    Args:
        side: pictures are resized so that their longer side has so many pixels.

    Raises:
        ValueError: it is no multiple of 32.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, side: int = SIDE) -> None:
        super().__init__()
        if side < _STRIDES[-1] or side % _STRIDES[-1]:
            raise BadInputError(f"side is {side}, expected a multiple of {_STRIDES[-1]}")
        self.side = side
        self.stem = nn.Conv2d(3, _STEM, 3, 2, 1)
        self.stages = nn.Sequential(
            *(
                _Stage(width, blocks, 1 if k == 0 else 2)
                for k, (width, blocks) in enumerate(_STAGES)
            )
        )
        self.lateral = nn.ModuleList(nn.Conv2d(2 * w, _NECK, 1) for w, _ in _STAGES[-_SEEN:])
        self.heads = nn.ModuleList(_Head() for _ in _STRIDES)
        for name, value in (("mean", _MEAN), ("spread", _SPREAD)):
            per_channel = torch.tensor(value).view(3, 1, 1) / 255
            self.register_buffer(name, per_channel, persistent=False)

    def forward(
        self,
        images: Tensor,  # [B, 3, H, W] RGB, 0..1
    ) -> Detections:
        """What is seen in pictures of any size.

        Raises:
            ValueError: the shape is another one.
        """
        if images.ndim != 4 or images.shape[1] != 3 or not images.numel():
            raise BadInputError(f"images are {list(images.shape)}, expected [B, 3, H, W]")
        size = input_size(images.shape[2], images.shape[3], self.side)
        # without antialiasing, as in its training
        x = functional.interpolate(images, size, mode="bilinear", align_corners=False)
        return self.detect((x - self.mean) / self.spread)

    def detect(
        self,
        x: Tensor,  # [B, 3, H, W] normalised, sides multiples of 32
    ) -> Detections:
        """The same of pictures that are prepared already."""
        boxes, scores = [], []
        for stride, level, head in zip(_STRIDES, self.levels(x), self.heads, strict=True):
            out = head(level)
            scores.append(out[:, : len(CLASSES)].flatten(2).sigmoid())
            boxes.append(boxes_of(out[:, len(CLASSES) :], stride))
        limits = torch.tensor((x.shape[3], x.shape[2]) * 2, device=x.device).view(4, 1)
        return Detections(
            (torch.cat(boxes, 2) / limits).transpose(1, 2), torch.cat(scores, 2).transpose(1, 2)
        )

    def levels(self, x: Tensor) -> list[Tensor]:
        """Features [B, 128, H / s, W / s] of the strides s = 8, 16, 32."""
        x = x.contiguous(memory_format=torch.channels_last)
        x = functional.max_pool2d(_leaky(self.stem(x)), 3, 2, 1)
        seen = []
        for stage in self.stages:
            x = stage(x)
            seen.append(x)
        fine, middle, coarse = (
            conv(y) for conv, y in zip(self.lateral, seen[-_SEEN:], strict=True)
        )
        middle = middle + _twice(coarse)
        fine = fine + _twice(middle)
        middle = middle + functional.avg_pool2d(fine, 2)
        coarse = coarse + functional.avg_pool2d(middle, 2)
        return [fine, middle, coarse]

    def convolutions(self) -> list[nn.Conv2d]:
        """All of them, in the order in which they are run."""
        return [module for module in self.modules() if isinstance(module, nn.Conv2d)]


def input_size(height: int, width: int, side: int = SIDE) -> tuple[int, int]:
    """Height and width that a picture is resized to.

    The longer side gets `side` pixels, the other what keeps the picture's shape, to the nearest
    multiple of 32.
    """
    step, longer = _STRIDES[-1], max(height, width)
    rows, columns = (max(1, round(side * n / longer / step)) * step for n in (height, width))
    return rows, columns


class _Stage(nn.Module):
    """Cross-stage partial: what went through the blocks beside what went past them."""

    def __init__(self, width: int, blocks: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, stride, 1)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        self.last = nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        past = _leaky(self.first(x))
        return torch.cat([_leaky(self.last(self.blocks(past))), past], 1)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width // 2, 3, 1, 1)
        self.second = nn.Conv2d(width // 2, width // 2, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        half = _leaky(self.first(x))
        return torch.cat([_leaky(self.second(half)), half], 1)


class _Head(nn.Module):
    """Logits of the classes, then of the steps of the four distances."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(_NECK, _NECK, 3, 1, 1)
        self.last = nn.Conv2d(_NECK, len(CLASSES) + 4 * _STEPS, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.last(_leaky(self.first(x)))
        assert isinstance(y, torch.Tensor)
        return y


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, _SLOPE, inplace=True)


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def boxes_of(steps: Tensor, stride: int) -> Tensor:
    """Sides of boxes [B, 4, h * w] in pixels, from logits [B, 4 * 11, h, w] of their distances."""
    height, width = steps.shape[2:]
    shares = steps.reshape(len(steps), 4, _STEPS, height * width).softmax(2)
    count = torch.arange(_STEPS, dtype=shares.dtype, device=shares.device)
    far = torch.einsum("bdsn,s->bdn", shares, count) * stride
    x = (torch.arange(width, device=far.device) + 0.5).mul(stride).repeat(height)
    y = (torch.arange(height, device=far.device) + 0.5).mul(stride).repeat_interleave(width)
    left, up, right, down = far.unbind(1)
    return torch.stack([x - left, y - up, x + right, y + down], 1)
