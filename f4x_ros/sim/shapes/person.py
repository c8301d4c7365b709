# SPDX-License-Identifier: Apache-2.0
"""A person made of links that can walk. It looks towards +x; its left is +y."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from f4x_ros.sim.materials import Material, Rgb
from f4x_ros.sim.mesh import cylinder, loft, loft_x, rotation, sphere, transformed, tube
from f4x_ros.sim.shapes.part import Part, Parts
from f4x_ros.sim.textures import Cloth, Solid, linear

_SIDES = (("left", 1), ("right", -1))

# Heights of joints and half widths, in body heights (after Drillis and Contini's segment table).
_ANKLE, _KNEE, _HIP, _WRIST, _ELBOW, _SHOULDER = 0.045, 0.283, 0.51, 0.475, 0.63, 0.80
_HIP_SIDE, _SHOULDER_SIDE = 0.053, 0.12
_HEEL, _TOE = -0.035, 0.10  # ends of the foot along x

_SWING_RAD = 0.40  # of the thigh to either side
_ARM_RAD = 0.38

_SKINS = ((0.96, 0.80, 0.69), (0.87, 0.66, 0.50), (0.68, 0.46, 0.32), (0.38, 0.24, 0.17))
_HAIRS = ((0.10, 0.08, 0.07), (0.30, 0.18, 0.10), (0.72, 0.55, 0.30), (0.62, 0.61, 0.60))
_TROUSERS = ((0.16, 0.22, 0.36), (0.20, 0.20, 0.22), (0.55, 0.47, 0.35), (0.36, 0.38, 0.42))


def person_joints(height: float = 1.7) -> dict[str, tuple[float, float, float]]:
    """Where each link of a `person` turns (about an axis along y), in the object's frame [m].

    Links: "left leg" (hip to knee), "left shin" (knee to toes), "left arm" (shoulder to elbow),
    "left forearm" (elbow to hand), and the same of the right.
    """
    heights = {"leg": _HIP, "shin": _KNEE, "arm": _SHOULDER, "forearm": _ELBOW}
    return {
        f"{name} {limb}": (
            0.0,
            side * height * (_HIP_SIDE if limb in ("leg", "shin") else _SHOULDER_SIDE),
            height * z,
        )
        for name, side in _SIDES
        for limb, z in heights.items()
    }


def person_stride(height: float = 1.7) -> float:
    """Distance [m] walked in one cycle (two steps) if the standing foot is not to slide."""
    return 4 * (_HIP - 0.01) * height * float(np.sin(_SWING_RAD))


def walking_links(height: float, phase: float) -> dict[str, NDArray[np.float64]]:
    """Poses ``[4, 4]`` of all links relative to the person at ``phase`` [rad] of the walk.

    One cycle is two pi; the left thigh is foremost at pi / 2. The knee bends while its leg swings
    forwards, arms swing against the legs. Every link's pose is given relative to the person, so
    that a shin already includes what its thigh does.
    """
    joints = person_joints(height)
    poses = {}
    for name, side in _SIDES:
        at = phase if side > 0 else phase + np.pi
        thigh = _about_y(joints[f"{name} leg"], -_thigh(at))
        bend = 0.08 + 0.75 * max(0.0, float(np.cos(at + 0.4))) ** 2
        arm = _about_y(joints[f"{name} arm"], _ARM_RAD * np.sin(at))
        elbow = -0.25 - 0.2 * max(0.0, float(-np.sin(at)))
        poses[f"{name} leg"] = thigh
        poses[f"{name} shin"] = thigh @ _about_y(joints[f"{name} shin"], bend)
        poses[f"{name} arm"] = arm
        poses[f"{name} forearm"] = arm @ _about_y(joints[f"{name} forearm"], elbow)
    return poses


def _thigh(phase: float) -> float:
    """Angle [rad] of a thigh, forwards positive.

    While it stands (the half cycle after pi / 2) its foot goes back at an even speed, so that it
    rests on the floor; then a cubic with the same speed at both ends brings it to the front.
    """
    reach = float(np.sin(_SWING_RAD))
    turn = (phase / np.pi - 0.5) % 2.0
    if turn < 1:
        return float(np.arcsin(reach * (1 - 2 * turn)))
    u = turn - 1
    return float(np.arcsin(reach * (-8 * u**3 + 12 * u**2 - 2 * u - 1)))


def walking_lift(height: float, phase: float) -> float:
    """How far [m] to raise the person (mostly below zero) so that its lower foot meets z = 0."""
    poses = walking_links(height, phase)
    ends = np.array([[x * height, 0, 0, 1] for x in (_HEEL, _TOE)])
    lowest = min(float((ends @ poses[f"{name} shin"].T)[:, 2].min()) for name, _ in _SIDES)
    return -lowest


def _about_y(joint: tuple[float, float, float], angle: float) -> NDArray[np.float64]:
    """Turn about an axis along y through a joint; positive swings what hangs below backwards."""
    pose = np.eye(4)
    pose[:3, :3] = rotation("y", angle)
    pose[:3, 3] = np.asarray(joint) - pose[:3, :3] @ np.asarray(joint)
    return pose


def person(
    height: float = 1.7,
    girth: float = 1.0,
    skin: float = 0.2,
    hair: float = 0.4,
    long_hair: float = 0.0,
    trousers: float = 0.1,
    sleeves: float = 0.0,
) -> Parts:
    """A standing person whose shirt has the object's colour.

    ``skin``, ``hair`` and ``trousers`` in 0..1 choose tones; ``long_hair`` and ``sleeves`` above
    0.5 mean long. `person_joints` tells where the links turn, `walking_links` how they walk.
    """
    h = height
    tone = Material(Solid(_tone(_SKINS, skin)), specular=0.05)
    strands = Material(Cloth(_tone(_HAIRS, hair), 0.01, 0.5))
    cloth = Material(Cloth(_tone(_TROUSERS, trousers), 0.008, 0.25))
    parts = [*_torso(h, girth, cloth), *_head(h, tone, strands, long_hair > 0.5)]
    for name, side in _SIDES:
        parts += _leg(h, girth, side, name, cloth)
        parts += _arm(h, girth, side, name, tone, "body" if sleeves > 0.5 else tone)
    return parts


def _tone(of: tuple[Rgb, ...], choice: float) -> Rgb:
    return linear(of[min(int(choice * len(of)), len(of) - 1)])


def _torso(h: float, girth: float, cloth: Material) -> Parts:
    g = h * girth
    pelvis = [(0, 0, 0.465 * h, 0.04 * g, 0.06 * g), (0, 0, 0.49 * h, 0.066 * g, 0.092 * g),
              (0, 0, 0.56 * h, 0.064 * g, 0.09 * g)]  # fmt: skip
    shirt = [
        (0, 0, 0.535 * h, 0.070 * g, 0.097 * g), (0, 0, 0.60 * h, 0.062 * g, 0.088 * g),
        (0, 0, 0.70 * h, 0.068 * g, 0.098 * g), (0, 0, 0.77 * h, 0.066 * g, 0.107 * g),
        (0, 0, 0.81 * h, 0.056 * g, 0.108 * g), (0, 0, 0.832 * h, 0.042 * g, 0.080 * g),
        (0, 0, 0.846 * h, 0.030 * g, 0.036 * g),
    ]  # fmt: skip
    belt = [(0, 0, 0.528 * h, 0.071 * g, 0.098 * g), (0, 0, 0.545 * h, 0.071 * g, 0.098 * g)]
    return [
        Part(loft(pelvis, 28, 2.4), cloth),
        Part(loft(belt, 28, 2.4), "rubber"),
        Part(loft(shirt, 32, 2.4), "body"),
    ]


def _head(h: float, skin: Material, hair: Material, long_hair: bool) -> Parts:
    z = 0.93 * h
    face = [
        (0.012 * h, 0, 0.868 * h, 0.022 * h, 0.018 * h),
        (0.008 * h, 0, 0.882 * h, 0.040 * h, 0.032 * h),
        (0.002 * h, 0, 0.91 * h, 0.052 * h, 0.043 * h),
        (0, 0, 0.945 * h, 0.056 * h, 0.046 * h), (-0.002 * h, 0, 0.975 * h, 0.046 * h, 0.039 * h),
        (-0.004 * h, 0, 0.99 * h, 0.022 * h, 0.02 * h),
    ]  # fmt: skip
    cap = sphere(1.0, (-0.013 * h, 0, 0.957 * h), (0.057 * h, 0.053 * h, 0.044 * h), 26, 16)
    nape = sphere(1.0, (-0.022 * h, 0, 0.938 * h), (0.042 * h, 0.05 * h, 0.052 * h), 24, 14)
    parts = [
        Part(cylinder(0.029 * h, 0.06 * h, 0.83 * h, 18), skin),
        Part(loft(face, 28), skin),
        Part(cap, hair),
        Part(nape, hair),
        Part(sphere(0.009 * h, (0.058 * h, 0, 0.922 * h), (1, 0.8, 1.3), 10, 8), skin),
        Part(sphere(0.01 * h, (0.046 * h, 0, 0.896 * h), (0.5, 1.5, 0.35), 12, 8), "mouth"),
    ]
    for _, side in _SIDES:
        eye = (0.048 * h, side * 0.019 * h, 0.934 * h)
        ear = (0.0, side * 0.046 * h, 0.925 * h)
        parts += [
            Part(sphere(0.0085 * h, eye, sides=12, rings=8), "white paint"),
            Part(sphere(0.005 * h, np.add(eye, (0.005 * h, 0, 0)), sides=10, rings=8), "rubber"),
            Part(sphere(0.012 * h, ear, (0.7, 0.4, 1.2), 12, 8), skin),
        ]
    if long_hair:
        fall = [(-0.035 * h, 0, 0.82 * h, 0.02 * h, 0.046 * h),
                (-0.034 * h, 0, 0.87 * h, 0.03 * h, 0.056 * h),
                (-0.026 * h, 0, z, 0.038 * h, 0.055 * h),
                (-0.02 * h, 0, 0.97 * h, 0.036 * h, 0.045 * h)]  # fmt: skip
        parts.append(Part(loft(fall, 24), hair))
    return parts


def _leg(h: float, girth: float, side: int, name: str, cloth: Material) -> Parts:
    y = side * _HIP_SIDE * h
    g = h * girth
    thigh = [(0, y, z * h, a * g, a * g) for z, a in
             ((_KNEE - 0.03, 0.030), (_KNEE, 0.036), (0.38, 0.044), (0.47, 0.051),
              (_HIP + 0.02, 0.045))]  # fmt: skip
    shin = [(x * h, y, z * h, a * g, a * g) for x, z, a in
            ((0, _ANKLE - 0.012, 0.029), (0, _ANKLE + 0.05, 0.028), (-0.006, 0.20, 0.035),
             (0, _KNEE, 0.035), (0, _KNEE + 0.03, 0.028))]  # fmt: skip
    foot = [
        (_HEEL * h, 0.018 * h, 0.012 * h, 0.016 * h), (-0.024 * h, 0.024 * h, 0.024 * h, 0.024 * h),
        (0.02 * h, 0.024 * h, 0.025 * h, 0.024 * h), (0.06 * h, 0.015 * h, 0.028 * h, 0.015 * h),
        (0.09 * h, 0.011 * h, 0.022 * h, 0.011 * h), (_TOE * h, 0.008 * h, 0.01 * h, 0.006 * h),
    ]  # fmt: skip
    shoe = transformed(loft_x(foot, 20, 2.6), None, (0, y, 0))
    leg, shank = f"{name} leg", f"{name} shin"
    return [
        Part(loft(thigh, 20), cloth, leg),
        Part(loft(shin, 20), cloth, shank),
        Part(shoe, "cap", shank),
    ]


def _arm(
    h: float, girth: float, side: int, name: str, skin: Material, sleeve: Material | str
) -> Parts:
    y = side * _SHOULDER_SIDE * h
    g = h * (0.6 + 0.4 * girth)
    upper = tube([(0, y, _ELBOW * h), (0, y, 0.70 * h), (0, y, 0.775 * h)],
                 np.array([0.0285, 0.031, 0.035]) * g, 16)  # fmt: skip
    ball = sphere(0.037 * g, (0, y, 0.782 * h), (1, 0.95, 1.2), 16, 12)
    elbow = sphere(0.0235 * g, (0, y, _ELBOW * h), sides=14, rings=10)
    wrist = tube([(0, y, _WRIST * h), (0, y, 0.56 * h), (0, y, _ELBOW * h)],
                 np.array([0.018, 0.024, 0.025]) * g, 16)  # fmt: skip
    palm = sphere(0.03 * g, (0.004 * h, y, 0.448 * h), (0.75, 0.45, 1.25), 14, 10)
    thumb = sphere(0.011 * g, (0.024 * h, y, 0.457 * h), (0.8, 0.8, 1.7), 10, 8)
    arm, forearm = f"{name} arm", f"{name} forearm"
    return [
        Part(upper, "body", arm),
        Part(ball, "body", arm),
        Part(elbow, sleeve, arm),
        Part(wrist, sleeve, forearm),
        Part(palm, skin, forearm),
        Part(thumb, skin, forearm),
    ]
