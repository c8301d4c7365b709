# SPDX-License-Identifier: Apache-2.0
"""Objects followed through a stream of images by SAM 2's memory.

What `sam2.sam2_video_predictor.SAM2VideoPredictor` does with a folder of frames, image by image: no
frame has to be known in advance, and the memory does not grow.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.sam2 import Sam2Extractor
from f4x_ros.core.features.sam2_decoder import joined_prompts

_ENDLESS = 1 << 30  # number of frames of the video
_Output = dict[str, Any]  # of the library's track_step


class Followed(NamedTuple):
    """One object in one image."""

    mask: Tensor  # [H, W] bool
    logits: Tensor  # [H, W]; the mask is where they are above 0
    visible: float  # 0..1, the model's own guess of whether the object is in view


class Sam2Stream:
    """Follows objects, each with a memory of its own.

    Not thread-safe. One pass of the image encoder per image and one of the decoder per object.

    Args:
        extractor: the model; several streams may share one.
    """

    def __init__(self, extractor: Sam2Extractor) -> None:
        self._sam = extractor
        self._model = extractor.model
        # As the library builds a model for video: what was clicked is remembered as a mask.
        self._model.binarize_mask_from_pts_for_mem_enc = True
        self._index = -1
        self._size = (0, 0)
        self._seen: tuple[list[Tensor], list[Tensor], list[tuple[int, int]]] | None = None
        self._positions: list[Tensor] | None = None
        self._objects: dict[int, dict[str, dict[int, _Output]]] = {}
        reach = self._model.num_maskmem * self._model.memory_temporal_stride_for_eval
        self._reach = max(reach, self._model.max_obj_ptrs_in_encoder)

    @property
    def ids(self) -> tuple[int, ...]:
        """Of the objects that are followed."""
        return tuple(self._objects)

    @torch.no_grad()
    def look(
        self,
        image: Tensor,  # [3, H, W] float, RGB in 0..1
    ) -> dict[int, Followed]:
        """Take in the next image and find every object in it."""
        encoded = self._sam.encode(image[None])
        _, features, positions, sizes = self._model._prepare_backbone_features(encoded)
        self._seen = (features, positions, sizes)
        self._size = (image.shape[-2], image.shape[-1])
        self._index += 1
        found = {}
        for id_, memory in self._objects.items():
            output = self._step(memory, started=False)
            past = memory["non_cond_frame_outputs"]
            past[self._index] = self._kept(output)
            past.pop(self._index - self._reach, None)
            found[id_] = self._answer(output)
        return found

    @torch.no_grad()
    def start(
        self,
        id_: int,
        *,
        points: Tensor | None = None,  # [K, 2] x, y in pixels of the last image
        labels: Tensor | None = None,  # [K] 1: is part of it, 0: is not
        box: Tensor | None = None,  # [4] x0, y0, x1, y1 in pixels
        mask: Tensor | None = None,  # [H, W] bool, in place of clicks and box
    ) -> Followed:
        """Follow an object from the last image on; one that was followed before starts anew.

        Raises:
            ValueError: no image was seen yet; none or both of mask and clicks; a wrong shape.
        """
        if self._seen is None:
            raise BadInputError(f"object {id_} cannot be started: no image was seen yet")
        clicked = any(given is not None for given in (points, labels, box))
        if clicked == (mask is not None):
            raise BadInputError(f"object {id_} needs clicks or a box, or else a mask")
        prompt = self._clicks(points, labels, box) if mask is None else {"mask": self._whole(mask)}
        memory: dict[str, dict[int, _Output]] = {
            "cond_frame_outputs": {},
            "non_cond_frame_outputs": {},
        }
        output = self._step(memory, started=True, **prompt)
        memory["cond_frame_outputs"][self._index] = self._kept(output)
        self._objects[id_] = memory
        return self._answer(output)

    def drop(self, id_: int) -> None:
        """Follow an object no longer; nothing happens if it was not followed."""
        self._objects.pop(id_, None)

    def _step(
        self,
        memory: dict[str, dict[int, _Output]],
        *,
        started: bool,
        points: dict[str, Tensor] | None = None,
        mask: Tensor | None = None,
    ) -> _Output:
        assert self._seen is not None
        features, positions, sizes = self._seen
        output: _Output = self._model.track_step(
            frame_idx=self._index,
            is_init_cond_frame=started,
            current_vision_feats=features,
            current_vision_pos_embeds=positions,
            feat_sizes=sizes,
            point_inputs=points,
            mask_inputs=mask,
            output_dict=memory,
            num_frames=_ENDLESS,
            run_mem_encoder=not started,
        )
        if started:  # whatever a person gave is remembered as what the decoder made of it
            self._remember(output, features, sizes)
        return output

    def _kept(self, output: _Output) -> _Output:
        """What later images need of it: 0.5 MB, in half precision as in the library."""
        if self._positions is None:
            self._positions = output["maskmem_pos_enc"]  # the same for all
        return {
            "maskmem_features": output["maskmem_features"].to(torch.bfloat16),
            "maskmem_pos_enc": self._positions,
            "obj_ptr": output["obj_ptr"],
        }

    def _remember(
        self, output: _Output, features: list[Tensor], sizes: list[tuple[int, int]]
    ) -> None:
        side = self._sam.input_size
        masks = functional.interpolate(
            output["pred_masks"], (side, side), mode="bilinear", align_corners=False
        )
        encoded = self._model._encode_new_memory(
            current_vision_feats=features,
            feat_sizes=sizes,
            pred_masks_high_res=masks,
            object_score_logits=output["object_score_logits"],
            is_mask_from_pts=True,
        )
        output["maskmem_features"], output["maskmem_pos_enc"] = encoded

    def _clicks(
        self, points: Tensor | None, labels: Tensor | None, box: Tensor | None
    ) -> dict[str, Any]:
        places, kinds = joined_prompts(
            None if points is None else points[None],
            None if labels is None else labels[None],
            None if box is None else box[None],
            size=self._size,
            input_size=self._sam.input_size,
            device=self._sam.device,
        )
        return {"points": {"point_coords": places, "point_labels": kinds}}

    def _whole(self, mask: Tensor) -> Tensor:
        """[1, 1, S, S] of 0 and 1 at the model's input size."""
        if tuple(mask.shape) != self._size:
            raise BadInputError(f"mask has shape {tuple(mask.shape)}, expected {self._size}")
        side = self._sam.input_size
        resized = functional.interpolate(
            mask[None, None].to(self._sam.device, torch.float32),
            (side, side),
            mode="bilinear",
            align_corners=False,
            antialias=True,
        )
        return (resized >= 0.5).float()

    def _answer(self, output: _Output) -> Followed:
        logits = functional.interpolate(
            output["pred_masks"].float(), self._size, mode="bilinear", align_corners=False
        )[0, 0]
        visible = float(torch.sigmoid(output["object_score_logits"].float()))
        return Followed(logits > 0, logits, visible)
