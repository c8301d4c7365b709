# SPDX-License-Identifier: Apache-2.0
"""The table of everything that can stand in a scene.

To add a class: write a function that returns its parts and append it here. Only append: the place
in the table is the class id in ground truth.
"""

from __future__ import annotations

# fmt: off
# isort: off
from f4x_ros.sim.finishes import (
    BEACH_BALL, CARDBOARD, CERAMIC, FABRIC, FURRY, GLASS, GLAZED, LEATHER, METAL, PAINTED, PEEL,
    PLASTIC, RUBBER, WICKER, WOODEN, patterned,
)
from f4x_ros.sim.shapes import (
    animals, baggage, decor, devices, furniture, hobby, openings, pantry, person, tableware, toys,
    vehicles, warehouse,
)
# isort: on
# fmt: on
from f4x_ros.sim.shapes.thing_class import ThingClass

# Striped, checked and dotted in scales that suit cups, bags and sofas.
_SMALL, _MEDIUM, _LARGE = patterned(0.024, 0.3), patterned(0.06), patterned(0.14)
_CHINA = (CERAMIC, *_SMALL, METAL)
_VIVID = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "black", "gray")

# fmt: off
CLASSES: dict[str, ThingClass] = {
    "floor": ThingClass(None),
    "wall": ThingClass(None),
    "ceiling": ThingClass(None),
    "table": ThingClass(
        furniture.table, WOODEN, synonyms=("desk", "dining table"),
        colors=("brown", "white", "black", "gray", "beige"), where="floor",
        sizes={"width": (0.9, 1.7), "depth": (0.6, 0.95), "height": (0.6, 0.76)},
        finishes=(WOODEN, PAINTED)),
    "chair": ThingClass(
        furniture.chair, PAINTED, synonyms=("seat", "dining chair"), where="floor",
        sizes={"width": (0.4, 0.5), "seat": (0.42, 0.48), "back": (0.38, 0.55), "slats": (1, 4)},
        finishes=(PAINTED, WOODEN, METAL)),
    "sofa": ThingClass(
        furniture.sofa, FABRIC, synonyms=("couch", "settee"), where="floor",
        sizes={"width": (1.35, 2.1), "depth": (0.75, 0.92)}, finishes=(FABRIC, LEATHER, *_LARGE)),
    "bookshelf": ThingClass(
        furniture.bookshelf, WOODEN, synonyms=("bookcase", "shelf"),
        colors=("brown", "white", "black", "gray", "beige"), where="floor",
        sizes={"width": (0.7, 1.2), "depth": (0.26, 0.34), "height": (1.0, 2.0), "shelves": (3, 6)},
        finishes=(WOODEN, PAINTED)),
    "cabinet": ThingClass(
        openings.cabinet, PAINTED, synonyms=("chest of drawers", "dresser", "cupboard"),
        where="floor",
        sizes={"width": (0.6, 1.0), "depth": (0.36, 0.5), "height": (0.6, 1.0), "drawers": (2, 4)},
        finishes=(PAINTED, WOODEN)),
    "rug": ThingClass(
        furniture.rug, FABRIC, synonyms=("carpet", "mat"), where="floor",
        sizes={"width": (1.2, 2.4), "depth": (0.8, 1.7)}),
    "mug": ThingClass(
        tableware.mug, CERAMIC, synonyms=("cup", "coffee cup"), where="table",
        sizes={"radius": (0.036, 0.05), "height": (0.08, 0.12)}, finishes=_CHINA),
    "bowl": ThingClass(
        tableware.bowl, CERAMIC, synonyms=("salad bowl", "soup bowl"), where="table",
        sizes={"radius": (0.065, 0.12), "height": (0.05, 0.085)},
        finishes=(CERAMIC, WOODEN, GLASS, METAL, *_SMALL)),
    "bottle": ThingClass(
        tableware.bottle, GLAZED, synonyms=("flask", "water bottle"), where="table",
        sizes={"radius": (0.03, 0.045), "height": (0.2, 0.32)}, finishes=(GLASS, PLASTIC, METAL)),
    "teapot": ThingClass(
        tableware.teapot, CERAMIC, synonyms=("tea pot",), where="table",
        sizes={"radius": (0.06, 0.09)}, finishes=(CERAMIC, METAL, *_SMALL)),
    "apple": ThingClass(
        tableware.apple, GLAZED, synonyms=("fruit",), colors=("red", "green", "yellow"),
        where="table", sizes={"radius": (0.034, 0.048)}),
    "toy car": ThingClass(
        toys.toy_car, PLASTIC, synonyms=("model car", "little car"), colors=_VIVID, where="table",
        sizes={"length": (0.15, 0.26), "width": (0.075, 0.11), "height": (0.05, 0.075)},
        finishes=(PLASTIC, METAL)),
    "ball": ThingClass(
        toys.ball, BEACH_BALL, synonyms=("beach ball",), where="table",
        sizes={"radius": (0.05, 0.14)}),
    "rubber duck": ThingClass(
        toys.rubber_duck, GLAZED, synonyms=("bath duck", "toy duck"),
        colors=("yellow", "pink", "orange", "blue", "green", "white"), where="table",
        sizes={"size": (0.9, 1.7)}, finishes=(RUBBER, PLASTIC)),
    "teddy bear": ThingClass(
        toys.teddy_bear, FURRY, synonyms=("teddy", "stuffed bear"),
        colors=("brown", "beige", "white", "pink", "gray", "purple"), where="table",
        sizes={"size": (0.9, 1.7)}),
    "book": ThingClass(
        decor.book, PAINTED, synonyms=("novel", "textbook"), where="table",
        sizes={"width": (0.13, 0.2), "length": (0.19, 0.27), "thickness": (0.015, 0.05)},
        finishes=(PAINTED, LEATHER)),
    "globe": ThingClass(
        decor.globe, PAINTED, synonyms=("world globe",), colors=("blue",), where="table",
        sizes={"radius": (0.09, 0.15)}),
    "potted plant": ThingClass(
        decor.potted_plant, PAINTED, synonyms=("plant", "houseplant"), where="floor",
        sizes={"pot": (0.11, 0.18), "leaf": (0.3, 0.55)}, finishes=(PAINTED, CERAMIC, WICKER)),
    "trash can": ThingClass(
        decor.trash_can, PAINTED, synonyms=("bin", "waste basket", "garbage can"), where="floor",
        sizes={"radius": (0.11, 0.17), "height": (0.28, 0.45)},
        finishes=(PAINTED, METAL, PLASTIC, WICKER)),
    "picture": ThingClass(
        decor.picture, PAINTED, synonyms=("painting", "framed picture"),
        colors=("black", "white", "brown", "gray", "red", "blue"), where="wall",
        sizes={"width": (0.5, 1.0), "height": (0.4, 0.75), "look": (0, 1)},
        finishes=(PAINTED, WOODEN)),
    "window": ThingClass(
        decor.window, PAINTED, synonyms=("window pane",), colors=("white",), where="wall",
        sizes={"width": (0.8, 1.5), "height": (0.8, 1.2)}),
    "laptop": ThingClass(
        devices.laptop, METAL, synonyms=("notebook computer", "portable computer"),
        colors=("gray", "black", "white", "blue", "pink"), where="table",
        sizes={"width": (0.29, 0.38), "depth": (0.2, 0.26), "lean": (0.15, 0.5), "look": (0, 1)},
        finishes=(METAL, PLASTIC)),
    "monitor": ThingClass(
        devices.monitor, PLASTIC, synonyms=("computer screen", "computer display"),
        colors=("black", "white", "gray"), where="table",
        sizes={"width": (0.44, 0.62), "height": (0.27, 0.38), "look": (0, 1)}),
    "keyboard": ThingClass(
        devices.keyboard, PLASTIC, synonyms=("computer keyboard",),
        colors=("black", "white", "gray", "blue", "pink", "red"), where="table",
        sizes={"width": (0.38, 0.46), "depth": (0.125, 0.155)}),
    "computer mouse": ThingClass(
        devices.computer_mouse, PLASTIC, synonyms=("pc mouse",),
        colors=("black", "white", "gray", "red", "blue", "pink"), where="table",
        sizes={"length": (0.095, 0.125), "width": (0.056, 0.07)}),
    "remote control": ThingClass(
        devices.remote_control, PLASTIC, synonyms=("tv remote", "remote"),
        colors=("black", "gray", "blue", "purple"), where="table",
        sizes={"length": (0.15, 0.22), "width": (0.042, 0.054)}),
    "phone": ThingClass(
        devices.phone, PLASTIC, synonyms=("smartphone", "cell phone", "mobile phone"),
        where="table", sizes={"width": (0.068, 0.08), "length": (0.14, 0.168), "look": (0, 1)},
        finishes=(PLASTIC, METAL)),
    "clock": ThingClass(
        devices.clock, PAINTED, synonyms=("alarm clock",), where="table",
        sizes={"radius": (0.06, 0.11), "hour": (0, 12)}, finishes=(PAINTED, METAL)),
    "desk lamp": ThingClass(
        devices.desk_lamp, PAINTED, synonyms=("lamp", "table lamp", "reading lamp"), where="table",
        sizes={"height": (0.34, 0.55), "shade": (0.09, 0.15)}),
    "floor lamp": ThingClass(
        devices.floor_lamp, PAINTED, synonyms=("lamp", "standing lamp"), where="floor",
        sizes={"height": (1.35, 1.75), "shade": (0.18, 0.28)}),
    "robot vacuum": ThingClass(
        devices.robot_vacuum, PLASTIC, synonyms=("vacuum robot", "robot cleaner", "hoover"),
        colors=("black", "white", "gray", "red", "blue"), where="floor",
        sizes={"radius": (0.15, 0.19), "height": (0.08, 0.1)}, also=("robot",)),
    "shoe": ThingClass(
        baggage.shoe, FABRIC, synonyms=("sneaker", "trainer", "sports shoe"), where="floor",
        sizes={"length": (0.24, 0.31), "width": (0.085, 0.105), "collar": (0.1, 0.14)},
        finishes=(FABRIC, LEATHER, *_SMALL)),
    "backpack": ThingClass(
        baggage.backpack, FABRIC, synonyms=("rucksack", "school bag"), where="floor",
        sizes={"width": (0.26, 0.36), "height": (0.4, 0.55), "depth": (0.14, 0.22)},
        finishes=(FABRIC, LEATHER, *_MEDIUM)),
    "suitcase": ThingClass(
        baggage.suitcase, PLASTIC, synonyms=("luggage", "trolley case"), where="floor",
        sizes={"width": (0.36, 0.5), "height": (0.48, 0.7), "depth": (0.2, 0.3)},
        finishes=(PLASTIC, METAL)),
    "hat": ThingClass(
        baggage.hat, FABRIC, synonyms=("sun hat", "fedora"), where="table",
        sizes={"radius": (0.14, 0.2), "height": (0.09, 0.14)}, finishes=(FABRIC, LEATHER, *_SMALL)),
    "umbrella": ThingClass(
        baggage.umbrella, FABRIC, synonyms=("parasol",), colors=_VIVID, where="floor",
        sizes={"radius": (0.42, 0.6), "length": (0.75, 0.95)}, finishes=(FABRIC, *_MEDIUM)),
    "box": ThingClass(
        warehouse.carton, CARDBOARD, synonyms=("carton", "parcel"),
        colors=("brown", "beige", "white"), where="floor",
        sizes={"width": (0.25, 0.6), "depth": (0.2, 0.45), "height": (0.15, 0.45)}),
    "pallet": ThingClass(
        warehouse.pallet, WOODEN, synonyms=("skid",),
        colors=("brown", "beige", "blue", "gray"), where="floor",
        sizes={"width": (1.0, 1.25), "depth": (0.75, 1.05)}),
    "pallet rack": ThingClass(
        warehouse.pallet_rack, PAINTED, synonyms=("storage rack", "warehouse shelf", "shelving"),
        colors=("blue", "green", "gray", "red", "yellow"), where="floor",
        sizes={"width": (1.5, 2.6), "depth": (0.7, 1.0), "height": (1.9, 2.9), "levels": (2, 4)},
        finishes=(PAINTED, METAL)),
    "barrel": ThingClass(
        warehouse.barrel, PAINTED, synonyms=("drum", "oil drum"), colors=_VIVID, where="floor",
        sizes={"radius": (0.22, 0.31), "height": (0.65, 0.95)}, finishes=(PAINTED, METAL, PLASTIC)),
    "crate": ThingClass(
        warehouse.crate, WOODEN, synonyms=("fruit crate",), where="floor",
        sizes={"width": (0.4, 0.6), "depth": (0.3, 0.42), "height": (0.22, 0.36)},
        finishes=(WOODEN, PLASTIC), also=("box",)),
    "hand truck": ThingClass(
        warehouse.hand_truck, METAL, synonyms=("sack truck", "dolly"), colors=_VIVID, where="floor",
        sizes={"height": (1.05, 1.35), "width": (0.42, 0.55)}, finishes=(METAL, PAINTED)),
    "forklift": ThingClass(
        vehicles.forklift, PAINTED, synonyms=("fork truck", "lift truck"),
        colors=("yellow", "orange", "red", "green", "blue"), where="floor",
        sizes={"length": (1.7, 2.1), "height": (1.9, 2.2), "raised": (0.02, 0.6)}),
    "traffic cone": ThingClass(
        warehouse.traffic_cone, RUBBER, synonyms=("road cone", "pylon"),
        colors=("orange", "red", "yellow", "green", "blue"), where="floor",
        sizes={"height": (0.35, 0.75), "width": (0.25, 0.4)}, finishes=(RUBBER, PLASTIC)),
    "fire extinguisher": ThingClass(
        warehouse.fire_extinguisher, GLAZED, synonyms=("extinguisher",), colors=("red",),
        where="floor", sizes={"radius": (0.06, 0.09), "height": (0.4, 0.62)}),
    "ladder": ThingClass(
        warehouse.stepladder, PAINTED, synonyms=("stepladder", "step ladder"), colors=_VIVID,
        where="floor", sizes={"height": (1.0, 2.0), "width": (0.4, 0.55)},
        finishes=(PAINTED, WOODEN, METAL)),
    "banana": ThingClass(
        pantry.banana, GLAZED, synonyms=("fruit",), colors=("yellow", "green"), where="table",
        sizes={"radius": (0.09, 0.13), "thick": (0.016, 0.022), "bend": (0.65, 1.0)}),
    "tangerine": ThingClass(
        pantry.tangerine, PEEL, synonyms=("fruit", "mandarin"), colors=("orange",),
        where="table", sizes={"radius": (0.034, 0.048)}),
    "pear": ThingClass(
        pantry.pear, GLAZED, synonyms=("fruit",), colors=("green", "yellow", "red", "brown"),
        where="table", sizes={"radius": (0.032, 0.044)}),
    "plate": ThingClass(
        pantry.plate, CERAMIC, synonyms=("dinner plate", "dish"), where="table",
        sizes={"radius": (0.09, 0.14), "height": (0.016, 0.03)}, finishes=_CHINA),
    "pan": ThingClass(
        pantry.frying_pan, METAL, synonyms=("frying pan", "skillet"), where="table",
        sizes={"radius": (0.1, 0.16), "handle": (0.15, 0.22), "height": (0.035, 0.06)},
        finishes=(METAL, GLAZED)),
    "can": ThingClass(
        pantry.can, METAL, synonyms=("soda can", "tin", "drink can"), colors=_VIVID, where="table",
        sizes={"radius": (0.03, 0.038), "height": (0.1, 0.165)}),
    "vase": ThingClass(
        pantry.vase, CERAMIC, synonyms=("flower vase", "urn"), where="table",
        sizes={"radius": (0.055, 0.09), "height": (0.2, 0.36), "belly": (0, 1)},
        finishes=(CERAMIC, GLASS, *_SMALL)),
    "candle": ThingClass(
        pantry.candle, PAINTED, synonyms=("wax candle", "burning candle"), where="table",
        sizes={"radius": (0.022, 0.04), "height": (0.08, 0.2)}),
    "bucket": ThingClass(
        pantry.bucket, PLASTIC, synonyms=("pail",), where="floor",
        sizes={"radius": (0.12, 0.17), "height": (0.22, 0.32)}, finishes=(PLASTIC, METAL)),
    "basket": ThingClass(
        pantry.basket, WICKER, synonyms=("wicker basket", "hamper"),
        colors=("brown", "beige", "white", "gray", "black"), where="floor",
        sizes={"radius": (0.13, 0.22), "height": (0.12, 0.22)}),
    "kettle": ThingClass(
        pantry.kettle, METAL, synonyms=("electric kettle", "water kettle"), where="table",
        sizes={"radius": (0.08, 0.11), "height": (0.17, 0.23)}, finishes=(METAL, PLASTIC)),
    "stool": ThingClass(
        furniture.stool, WOODEN, synonyms=("bar stool", "footstool"), where="floor",
        sizes={"radius": (0.14, 0.2), "height": (0.4, 0.65)}, finishes=(WOODEN, PAINTED, METAL)),
    "bench": ThingClass(
        furniture.bench, WOODEN, synonyms=("park bench",), where="floor",
        sizes={"width": (1.1, 1.8), "depth": (0.38, 0.48), "height": (0.42, 0.48)},
        finishes=(WOODEN, PAINTED)),
    "bed": ThingClass(
        furniture.bed, FABRIC, synonyms=("double bed", "bedstead"), where="floor",
        sizes={"width": (0.9, 1.7), "length": (1.9, 2.15), "head": (0.6, 1.1)},
        finishes=(FABRIC, *_LARGE)),
    "pillow": ThingClass(
        furniture.pillow, FABRIC, synonyms=("cushion", "throw pillow"), where="table",
        sizes={"width": (0.36, 0.6), "depth": (0.36, 0.5), "thickness": (0.12, 0.2)},
        finishes=(FABRIC, LEATHER, *_MEDIUM)),
    "door": ThingClass(
        openings.door, PAINTED, synonyms=("door leaf",), where="frame",
        sizes={"width": (0.7, 0.95), "height": (1.85, 2.1)}, finishes=(PAINTED, WOODEN)),
    "drawer": ThingClass(
        openings.drawer, PAINTED, synonyms=("sliding drawer", "pull out drawer"), where="frame",
        sizes={"width": (0.4, 0.95), "depth": (0.3, 0.48), "height": (0.12, 0.35)},
        finishes=(PAINTED, WOODEN)),
    "person": ThingClass(
        person.person, FABRIC, synonyms=("human", "pedestrian"), where="floor",
        sizes={"height": (1.5, 1.95), "girth": (0.88, 1.25), "skin": (0, 1),
               "hair": (0, 1), "long_hair": (0, 1), "trousers": (0, 1), "sleeves": (0, 1)},
        finishes=(FABRIC, *_MEDIUM)),
    "dog": ThingClass(
        animals.dog, FURRY, synonyms=("puppy", "hound"),
        colors=("brown", "black", "white", "beige", "gray"), where="floor",
        sizes={"height": (0.3, 0.62), "snout": (0.6, 1.2)}),
    "cat": ThingClass(
        animals.cat, FURRY, synonyms=("kitten", "kitty"),
        colors=("orange", "gray", "black", "white", "brown"), where="floor",
        sizes={"height": (0.34, 0.48)}),
    "robot": ThingClass(
        vehicles.robot, PLASTIC, synonyms=("service robot", "android"), where="floor",
        sizes={"height": (0.95, 1.3), "radius": (0.2, 0.27)}),
    "bicycle": ThingClass(
        vehicles.bicycle, PAINTED, synonyms=("bike", "push bike"), where="floor",
        sizes={"wheel": (0.27, 0.35), "length": (0.9, 1.08)}, finishes=(PAINTED, METAL)),
    "toy airplane": ThingClass(
        vehicles.toy_airplane, PLASTIC, synonyms=("toy plane", "model aircraft"), colors=_VIVID,
        where="table", sizes={"length": (0.2, 0.32), "span": (0.22, 0.34)},
        finishes=(PLASTIC, WOODEN)),
    "guitar": ThingClass(
        hobby.guitar, WOODEN, synonyms=("acoustic guitar",),
        colors=("brown", "orange", "red", "black", "beige", "blue"), where="floor",
        sizes={"length": (0.85, 1.05), "width": (0.33, 0.42)}, finishes=(WOODEN, GLAZED)),
    "football": ThingClass(
        hobby.football, PAINTED, synonyms=("soccer ball",),
        colors=("white", "yellow", "red", "orange", "blue"), where="floor",
        sizes={"radius": (0.085, 0.115)}, also=("ball",)),
    "hammer": ThingClass(
        hobby.hammer, RUBBER, synonyms=("claw hammer",), colors=_VIVID, where="table",
        sizes={"length": (0.25, 0.36), "head": (0.095, 0.13)}, finishes=(RUBBER, WOODEN)),
}
# fmt: on
