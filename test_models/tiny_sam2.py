# SPDX-License-Identifier: Apache-2.0
"""A small random model of the real library sam2, with the input size of the published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from f4x_ros.core.features.sam2 import Sam2Extractor

CONFIG = """
model:
  _target_: sam2.modeling.sam2_base.SAM2Base
  image_encoder:
    _target_: sam2.modeling.backbones.image_encoder.ImageEncoder
    scalp: 1
    trunk:
      _target_: sam2.modeling.backbones.hieradet.Hiera
      embed_dim: 16
      num_heads: 1
      stages: [1, 1, 1, 1]
      global_att_blocks: []
    neck:
      _target_: sam2.modeling.backbones.image_encoder.FpnNeck
      position_encoding: &sine
        _target_: sam2.modeling.position_encoding.PositionEmbeddingSine
        num_pos_feats: 32
      d_model: 32
      backbone_channel_list: [128, 64, 32, 16]
      fpn_top_down_levels: [2, 3]
      fpn_interp_model: nearest
  memory_attention:
    _target_: sam2.modeling.memory_attention.MemoryAttention
    d_model: 32
    pos_enc_at_input: true
    num_layers: 1
    layer:
      _target_: sam2.modeling.memory_attention.MemoryAttentionLayer
      activation: relu
      d_model: 32
      dim_feedforward: 32
      dropout: 0.1
      pos_enc_at_attn: false
      pos_enc_at_cross_attn_keys: true
      pos_enc_at_cross_attn_queries: false
      self_attention: &rope
        _target_: sam2.modeling.sam.transformer.RoPEAttention
        feat_sizes: [64, 64]
        embedding_dim: 32
        num_heads: 1
        downsample_rate: 1
      cross_attention:
        <<: *rope
        rope_k_repeat: true
        kv_in_dim: 16
  memory_encoder:
    _target_: sam2.modeling.memory_encoder.MemoryEncoder
    in_dim: 32
    out_dim: 16
    position_encoding:
      <<: *sine
      num_pos_feats: 16
    mask_downsampler:
      _target_: sam2.modeling.memory_encoder.MaskDownSampler
      embed_dim: 32
    fuser:
      _target_: sam2.modeling.memory_encoder.Fuser
      num_layers: 1
      layer:
        _target_: sam2.modeling.memory_encoder.CXBlock
        dim: 32
  image_size: 1024
  directly_add_no_mem_embed: true
  use_high_res_features_in_sam: true
  multimask_output_in_sam: true
  iou_prediction_use_sigmoid: true
"""


def add_model(folder: Path, **changes: Any) -> Path:
    """A checkpoint as published, and its configuration beside it (.yaml)."""
    config = OmegaConf.merge(OmegaConf.create(CONFIG), {"model": changes})
    file = folder / "tiny.pt"
    OmegaConf.save(config, file.with_suffix(".yaml"))
    torch.manual_seed(0)
    model = instantiate(config.model, _recursive_=True)
    with torch.no_grad():
        for parameter in model.parameters():  # norms and biases start as ones and zeros
            parameter.add_(0.05 * torch.randn(parameter.shape))
    torch.save({"model": model.state_dict()}, file)
    return file


def load(checkpoint: Path, **options: str) -> Sam2Extractor:
    """The extractor with a checkpoint of `add_model`."""
    config = str(checkpoint.with_suffix(".yaml"))
    return Sam2Extractor.load({"config": config, "checkpoint": str(checkpoint), **options})
