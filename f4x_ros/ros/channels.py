# SPDX-License-Identifier: Apache-2.0
"""Which topics the frames of a camera are made of: with depth, or of a stereo pair."""

from __future__ import annotations

from typing import NamedTuple

IMAGE, INFO = "image", "camera_info"
DEPTH, DEPTH_INFO = "depth/image", "depth/camera_info"
RIGHT, RIGHT_INFO = "right/image", "right/camera_info"

_LEFT = {IMAGE: "left/image", INFO: "left/camera_info"}


class Channels(NamedTuple):
    """The topics of one camera, by what they are for, before remapping.

    Attributes:
        camera: name of the camera, which is the first part of its topics; "" = the only one.
        stereo: depth comes of a second picture.
    """

    camera: str = ""
    stereo: bool = False

    @property
    def partner(self) -> str:
        """What an image is paired with."""
        return RIGHT if self.stereo else DEPTH

    @property
    def partner_info(self) -> str:
        """The calibration of that."""
        return RIGHT_INFO if self.stereo else DEPTH_INFO

    @property
    def roles(self) -> tuple[str, ...]:
        """What messages are for, the keys of a set."""
        return IMAGE, INFO, self.partner, self.partner_info

    def topic(self, role: str) -> str:
        """Name of the topic: "front/depth/image", of a stereo pair "left/image"."""
        name = _LEFT.get(role, role) if self.stereo else role
        return f"{self.camera}/{name}" if self.camera else name

    def unpaired(self, role: str) -> str:
        """The reason for which what is without its partner is left out, as by readers."""
        other = "right" if self.stereo else "depth"
        return f"images_without_{other}" if role == IMAGE else f"{other}_without_image"

    def repeated(self, role: str) -> str:
        """The reason for which what came twice is left out."""
        other = "right" if self.stereo else "depth"
        return f"{'images' if role == IMAGE else other}_with_repeated_stamp"
