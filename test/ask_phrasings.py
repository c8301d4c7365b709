# SPDX-License-Identifier: Apache-2.0
"""Ten ways to ask each kind of question, written before the parser was: {kind: [(text, what)]}.

`what` are the parts that the parser has to find, as `name=words` in any order; the first word is
the tool. `t=` is the moment or the span in seconds.
"""

from __future__ import annotations

PHRASINGS: dict[str, list[tuple[str, str]]] = {
    "presence": [
        ("Is there a red mug?", "find thing=red mug"),
        ("Can you see a teddy bear anywhere?", "find thing=teddy bear"),
        ("Do you see any bottle?", "find thing=bottle"),
        ("Is a guitar in the room?", "find thing=guitar"),
        ("Have you seen the blue globe?", "find thing=blue globe"),
        ("Was there a person at 2 s?", "find thing=person t=2"),
        ("Does the room have a sofa?", "find thing=sofa"),
        ("Did you find a keyboard?", "find thing=keyboard"),
        ("Are there any chairs here?", "find thing=chairs"),
        ("Is the yellow rubber duck there?", "find thing=yellow rubber duck"),
    ],
    "where": [
        ("Where is the red mug?", "where thing=red mug"),
        ("Where's the laptop?", "where thing=laptop"),
        ("Where was the toy car at 3 seconds?", "where thing=toy car t=3"),
        ("What is the position of the globe?", "where thing=globe"),
        ("Tell me where the teddy bear is.", "where thing=teddy bear"),
        ("Where can I find the bottle?", "where thing=bottle"),
        ("Could you locate the green book for me?", "where thing=green book"),
        ("At 1.5 s, where was the person in red?", "where thing=person in red t=1.5"),
        ("Give me the location of the trash can", "where thing=trash can"),
        ("Where did the ball use to be two seconds ago?", "where thing=ball t=-2"),
    ],
    "count": [
        ("How many chairs are there?", "count thing=chairs"),
        ("How many mugs can you see?", "count thing=mugs"),
        ("Count the bottles.", "count thing=bottles"),
        ("What is the number of books in the room?", "count thing=books"),
        ("How many red things were there at 2 s?", "count thing=red things t=2"),
        ("How many toy cars do we have?", "count thing=toy cars"),
        ("Number of people at 4.0 seconds?", "count thing=people t=4"),
        ("How many balls exist?", "count thing=balls"),
        ("Can you count the potted plants please?", "count thing=potted plants"),
        ("how many robots did you see at the beginning", "count thing=robots t=0"),
    ],
    "count_on": [
        ("How many things are on the table?", "count thing=things relation=on to=table"),
        ("How many mugs are on the table?", "count thing=mugs relation=on to=table"),
        ("How many objects lie on the cabinet?", "count thing=objects relation=on to=cabinet"),
        ("How many books were on the shelf at 1 s?", "count thing=books relation=on to=shelf t=1"),
        ("Count the things on the brown table.", "count thing=things relation=on to=brown table"),
        (
            "How many bottles stand next to the sofa?",
            "count thing=bottles relation=next to to=sofa",
        ),
        ("How many things are in the bowl?", "count thing=things relation=in to=bowl"),
        (
            "What is the number of things on top of the cabinet?",
            "count thing=things relation=on to=cabinet",
        ),
        ("How many items are left of the sofa?", "count thing=items relation=left of to=sofa"),
        (
            "How many objects were lying on the white table at 3.5 s?",
            "count thing=objects relation=on to=white table t=3.5",
        ),
    ],
    "distance": [
        ("How far is the mug from the table?", "distance a=mug b=table"),
        ("What is the distance between the sofa and the globe?", "distance a=sofa b=globe"),
        ("How far apart are the two: the bottle and the book?", "distance a=bottle b=book"),
        ("How far away is the chair?", "distance a=chair b=camera"),
        ("How many metres are between the robot and the sofa?", "distance a=robot b=sofa"),
        ("Distance from the laptop to the monitor?", "distance a=laptop b=monitor"),
        (
            "At 2 s, how far was the person in red from the white chair?",
            "distance a=person in red b=white chair t=2",
        ),
        ("How close is the ball to the wall?", "distance a=ball b=wall"),
        ("How far was the toy car from the camera at 3 s?", "distance a=toy car b=camera t=3"),
        (
            "How much space is there between the lamp and the bookshelf?",
            "distance a=lamp b=bookshelf",
        ),
    ],
    "nearest": [
        ("What is nearest to the sofa?", "nearest to=sofa"),
        ("Which thing is closest to the red mug?", "nearest to=red mug"),
        ("What's the closest object to the camera?", "nearest to=camera"),
        ("Which chair is nearest to the table?", "nearest thing=chair to=table"),
        ("What stands closest to the bookshelf?", "nearest to=bookshelf"),
        ("Which object is the farthest from the sofa?", "nearest to=sofa which=farthest"),
        ("What was nearest to the robot at 2.5 s?", "nearest to=robot t=2.5"),
        ("Name the nearest thing to the trash can.", "nearest to=trash can"),
        (
            "Which bottle is farthest away from the camera?",
            "nearest thing=bottle to=camera which=farthest",
        ),
        ("What is the object closest to the toy car?", "nearest to=toy car"),
    ],
    "closer": [
        (
            "Which is closer to the table, the mug or the bottle?",
            "closer to=table among=mug|bottle",
        ),
        (
            "What is nearer to the sofa: the globe, the book or the chair?",
            "closer to=sofa among=globe|book|chair",
        ),
        ("Is the mug or the bottle closer to the laptop?", "closer to=laptop among=mug|bottle"),
        (
            "Which one is nearer to the camera, the red chair or the sofa?",
            "closer to=camera among=red chair|sofa",
        ),
        (
            "Which of the mug and the teddy bear is closest to the table?",
            "closer to=table among=mug|teddy bear",
        ),
        (
            "Who is closer to the bench, the person in red or the person in blue?",
            "closer to=bench among=person in red|person in blue",
        ),
        (
            "What was closer to the robot at 2 s, the bench or the suitcase?",
            "closer to=robot among=bench|suitcase t=2",
        ),
        (
            "Which is farther from the camera, the sofa or the cabinet?",
            "closer to=camera among=sofa|cabinet which=farthest",
        ),
        (
            "Between the ball and the lamp, which is closer to the window?",
            "closer to=window among=ball|lamp",
        ),
        ("Is the chair closer to the table or to the sofa?", "closer to=chair among=table|sofa"),
    ],
    "side_camera": [
        ("Is the mug left or right of the bottle?", "side thing=mug of=bottle"),
        (
            "Is the mug to the left or to the right of the laptop as seen by the camera?",
            "side thing=mug of=laptop view=camera",
        ),
        ("On which side of the sofa is the lamp?", "side thing=lamp of=sofa"),
        ("Which side of the table is the chair on?", "side thing=chair of=table"),
        (
            "From the camera's point of view, is the globe left or right of the book?",
            "side thing=globe of=book view=camera",
        ),
        (
            "Is the teddy bear on the left or the right of the ball?",
            "side thing=teddy bear of=ball",
        ),
        ("Was the person left or right of the bench at 2 s?", "side thing=person of=bench t=2"),
        (
            "Seen from the camera, is the trash can to the right or the left of the sofa?",
            "side thing=trash can of=sofa view=camera",
        ),
        ("Does the robot stand left or right of the suitcase?", "side thing=robot of=suitcase"),
        (
            "Looking from the camera, which side of the cabinet is the bowl on?",
            "side thing=bowl of=cabinet view=camera",
        ),
    ],
    "side_own": [
        (
            "From the person's own view, is the bench on the left or on the right?",
            "side thing=bench of=person view=person",
        ),
        ("Is the sofa on the robot's left or right?", "side thing=sofa of=robot view=robot"),
        (
            "At 2 s, was the chair on the left or the right of the person in red, as seen by that "
            "person?",
            "side thing=chair of=person in red view=person in red t=2",
        ),
        (
            "Facing the way the toy car drives, is the table left or right of it?",
            "side thing=table of=toy car view=toy car",
        ),
        (
            "From the robot's own front, on which side is the suitcase?",
            "side thing=suitcase of=robot view=robot",
        ),
        (
            "Is the bench to the left or to the right of the person in blue from its own point of "
            "view?",
            "side thing=bench of=person in blue view=person in blue",
        ),
        (
            "As the robot vacuum sees it, is the ball on the left or right?",
            "side thing=ball of=robot vacuum view=robot vacuum",
        ),
        (
            "For the person in green, is the window left or right at 3 s?",
            "side thing=window of=person in green view=person in green t=3",
        ),
        (
            "From the toy car's perspective, is the sofa to its left or right?",
            "side thing=sofa of=toy car view=toy car",
        ),
        (
            "Which side of the robot is the chair on, seen in its direction of travel?",
            "side thing=chair of=robot view=robot",
        ),
    ],
    "viewpoint": [
        (
            "If I stood at the sofa and looked at the table, would the lamp be on my left or "
            "right?",
            "side thing=lamp of=sofa view=sofa>table",
        ),
        (
            "Standing at the chair facing the window, is the plant left or right?",
            "side thing=plant of=chair view=chair>window",
        ),
        (
            "Imagine you are at the bench looking at the robot: which side is the suitcase on?",
            "side thing=suitcase of=bench view=bench>robot",
        ),
        (
            "From the sofa looking towards the bookshelf, is the ball on the left or the right?",
            "side thing=ball of=sofa view=sofa>bookshelf",
        ),
        (
            "When standing by the table and facing the sofa, on which side is the trash can?",
            "side thing=trash can of=table view=table>sofa",
        ),
        (
            "If you stand at the cabinet and look at the chair, is the globe to your left or to "
            "your right?",
            "side thing=globe of=cabinet view=cabinet>chair",
        ),
        (
            "Suppose I am at the window and face the table. Is the mug left or right of me?",
            "side thing=mug of=window view=window>table",
        ),
        (
            "Viewed from the sofa towards the window, is the lamp left or right?",
            "side thing=lamp of=sofa view=sofa>window",
        ),
        (
            "I stand at the table looking at the picture; is the bottle on my right or left?",
            "side thing=bottle of=table view=table>picture",
        ),
        (
            "Seen from the bookshelf facing the chair, which side would the rug be on?",
            "side thing=rug of=bookshelf view=bookshelf>chair",
        ),
    ],
    "direction": [
        ("In which direction of the map is the mug from the sofa?", "direction thing=mug of=sofa"),
        ("Which way is the globe from the table in map axes?", "direction thing=globe of=table"),
        (
            "In map coordinates, in which direction does the chair lie from the sofa?",
            "direction thing=chair of=sofa",
        ),
        (
            "What is the direction from the table to the robot along the map's axes?",
            "direction thing=robot of=table",
        ),
        (
            "Along the axes of the map, where is the bottle relative to the book?",
            "direction thing=bottle of=book",
        ),
        (
            "Is the sofa in +x or -x or +y or -y direction from the table?",
            "direction thing=sofa of=table",
        ),
        (
            "Which map direction leads from the bench to the suitcase?",
            "direction thing=suitcase of=bench",
        ),
        (
            "By the map's axes, which direction is the lamp from the cabinet?",
            "direction thing=lamp of=cabinet",
        ),
        (
            "In the map frame, in what direction is the person from the bench at 2 s?",
            "direction thing=person of=bench t=2",
        ),
        (
            "Which direction do I have to go from the chair to the window in the map?",
            "direction thing=window of=chair",
        ),
    ],
    "depth_order": [
        ("Is the mug in front of or behind the bottle?", "front thing=mug of=bottle"),
        ("Is the chair behind the table or in front of it?", "front thing=chair of=table"),
        (
            "From the camera, is the sofa in front of or behind the lamp?",
            "front thing=sofa of=lamp view=camera",
        ),
        (
            "Was the person in front of or behind the bench at 1 s?",
            "front thing=person of=bench t=1",
        ),
        ("Does the globe stand in front of the book or behind it?", "front thing=globe of=book"),
        (
            "Is the teddy bear before or behind the ball as seen by the camera?",
            "front thing=teddy bear of=ball view=camera",
        ),
        ("Is the robot behind or in front of the suitcase?", "front thing=robot of=suitcase"),
        (
            "Seen by the camera, is the trash can behind or before the sofa?",
            "front thing=trash can of=sofa view=camera",
        ),
        ("In front of or behind the laptop: where is the mug?", "front thing=mug of=laptop"),
        (
            "Which side of the chair, in front or behind, is the ball as the camera sees it?",
            "front thing=ball of=chair view=camera",
        ),
    ],
    "height": [
        ("Is the mug above or below the picture?", "height thing=mug of=picture"),
        ("Is the lamp higher or lower than the table?", "height thing=lamp of=table"),
        ("Is the picture above or below the sofa?", "height thing=picture of=sofa"),
        ("Does the globe sit above or below the chair?", "height thing=globe of=chair"),
        ("Was the ball above or below the bench at 2 s?", "height thing=ball of=bench t=2"),
        ("Is the window lower or higher than the bookshelf?", "height thing=window of=bookshelf"),
        ("Is the book over or under the table?", "height thing=book of=table"),
        (
            "Which is it: is the toy airplane below or above the robot?",
            "height thing=toy airplane of=robot",
        ),
        ("Is the clock hanging above or below the cabinet?", "height thing=clock of=cabinet"),
        (
            "Is the bottle at a higher or a lower place than the trash can?",
            "height thing=bottle of=trash can",
        ),
    ],
    "on_what": [
        ("What is the mug on?", "support thing=mug"),
        ("What does the laptop stand on?", "support thing=laptop"),
        ("On what is the globe standing?", "support thing=globe"),
        ("What is under the book?", "support thing=book"),
        ("On which thing does the bottle stand?", "support thing=bottle"),
        ("What is the teddy bear sitting on?", "support thing=teddy bear"),
        ("What was the red apple lying on at 1 s?", "support thing=red apple t=1"),
        ("Which piece of furniture is the keyboard on?", "support thing=keyboard"),
        ("What carries the monitor?", "support thing=monitor"),
        ("What is the bowl resting on?", "support thing=bowl"),
    ],
    "related": [
        ("What is on the table?", "related relation=on to=table"),
        ("Which things are on the brown cabinet?", "related relation=on to=brown cabinet"),
        ("What stands next to the sofa?", "related relation=next to to=sofa"),
        ("What is left of the bottle?", "related relation=left of to=bottle"),
        ("What is between the sofa and the table?", "related relation=between to=sofa to2=table"),
        ("Which objects are behind the chair?", "related relation=behind to=chair"),
        ("What lies on the table?", "related relation=on to=table"),
        ("What is above the cabinet?", "related relation=above to=cabinet"),
        ("What was on the table at 2 s?", "related relation=on to=table t=2"),
        ("Name everything that is in the bowl.", "related relation=in to=bowl"),
    ],
    "check": [
        ("Is the mug on the table?", "relation thing=mug relation=on to=table"),
        ("Is the chair next to the sofa?", "relation thing=chair relation=next to to=sofa"),
        (
            "Is the ball between the sofa and the table?",
            "relation thing=ball relation=between to=sofa to2=table",
        ),
        (
            "Was the person behind the bench at 2 s?",
            "relation thing=person relation=behind to=bench t=2",
        ),
        ("Is the apple in the bowl?", "relation thing=apple relation=in to=bowl"),
        ("Is the lamp above the table?", "relation thing=lamp relation=above to=table"),
        ("Does the book lie on the cabinet?", "relation thing=book relation=on to=cabinet"),
        ("Is the bottle to the left of the mug?", "relation thing=bottle relation=left of to=mug"),
        ("Is there a mug on the table?", "relation thing=mug relation=on to=table"),
        ("Is the rug below the table?", "relation thing=rug relation=below to=table"),
    ],
    "size": [
        ("How tall is the chair?", "size thing=chair dimension=height"),
        ("How big is the sofa?", "size thing=sofa"),
        ("What is the height of the table?", "size thing=table dimension=height"),
        ("How high is the bookshelf?", "size thing=bookshelf dimension=height"),
        ("How wide is the window?", "size thing=window dimension=width"),
        ("What are the dimensions of the suitcase?", "size thing=suitcase"),
        ("How large is the teddy bear?", "size thing=teddy bear"),
        ("What size is the globe?", "size thing=globe"),
        ("How long is the toy car?", "size thing=toy car dimension=length"),
        ("Tell me the size of the cabinet.", "size thing=cabinet"),
    ],
    "bigger": [
        ("Which is bigger, the mug or the bottle?", "compare quantity=size among=mug|bottle"),
        ("Which is taller, the chair or the table?", "compare quantity=height among=chair|table"),
        (
            "What is smaller: the ball or the globe?",
            "compare quantity=size among=ball|globe which=least",
        ),
        ("Is the sofa or the bookshelf taller?", "compare quantity=height among=sofa|bookshelf"),
        (
            "Which of the chair, the lamp and the sofa is the tallest?",
            "compare quantity=height among=chair|lamp|sofa",
        ),
        (
            "Who is taller, the person in red or the robot?",
            "compare quantity=height among=person in red|robot",
        ),
        (
            "Which one is larger, the laptop or the monitor?",
            "compare quantity=size among=laptop|monitor",
        ),
        ("Is the mug bigger than the bowl?", "compare quantity=size among=mug|bowl"),
        (
            "Which is shorter, the trash can or the plant?",
            "compare quantity=height among=trash can|plant which=least",
        ),
        (
            "Between the sofa and the table, which is the biggest?",
            "compare quantity=size among=sofa|table",
        ),
    ],
    "color": [
        ("What colour is the mug?", "color thing=mug"),
        ("What is the color of the sofa?", "color thing=sofa"),
        ("Which colour does the chair have?", "color thing=chair"),
        ("What color was the toy car?", "color thing=toy car"),
        ("Tell me the colour of the teddy bear.", "color thing=teddy bear"),
        ("Which color is the ball?", "color thing=ball"),
        ("The bottle, what colour is it?", "color thing=bottle"),
        ("In what colour is the cabinet painted?", "color thing=cabinet"),
        ("what colour are the curtains", "color thing=curtains"),
        ("Of what colour is the book on the table?", "color thing=book on table"),
    ],
    "speed": [
        ("How fast is the robot moving?", "speed thing=robot"),
        ("How fast was the person in red at 2 s?", "speed thing=person in red t=2"),
        ("What is the speed of the toy car?", "speed thing=toy car"),
        ("At what speed did the ball roll at 1 s?", "speed thing=ball t=1"),
        ("How quickly is the robot vacuum going?", "speed thing=robot vacuum"),
        ("What was the velocity of the football at 3 s?", "speed thing=football t=3"),
        ("How many metres per second does the person walk at 2.5 s?", "speed thing=person t=2.5"),
        ("Give me the speed of the toy airplane at 4 s.", "speed thing=toy airplane t=4"),
        (
            "How fast did the person in blue walk at 1.2 seconds?",
            "speed thing=person in blue t=1.2",
        ),
        ("With what speed was the toy car driving at 2 s?", "speed thing=toy car t=2"),
    ],
    "faster": [
        (
            "Which was faster at 2 s, the toy car or the person?",
            "compare quantity=speed among=toy car|person t=2",
        ),
        (
            "Who is faster, the person in red or the person in blue?",
            "compare quantity=speed among=person in red|person in blue",
        ),
        (
            "What moved faster at 3 s: the ball or the robot?",
            "compare quantity=speed among=ball|robot t=3",
        ),
        (
            "Is the robot or the robot vacuum faster?",
            "compare quantity=speed among=robot|robot vacuum",
        ),
        (
            "Which is slower, the toy car or the football?",
            "compare quantity=speed among=toy car|football which=least",
        ),
        (
            "Which of the person and the robot was the fastest at 1 s?",
            "compare quantity=speed among=person|robot t=1",
        ),
        (
            "Was the ball faster than the robot at 2 s?",
            "compare quantity=speed among=ball|robot t=2",
        ),
        (
            "At 4 s, who walked faster, the person in red or the person in green?",
            "compare quantity=speed among=person in red|person in green t=4",
        ),
        (
            "Which one moves slowest, the robot, the ball or the toy car?",
            "compare quantity=speed among=robot|ball|toy car which=least",
        ),
        (
            "What is quicker, the robot or the toy airplane?",
            "compare quantity=speed among=robot|toy airplane",
        ),
    ],
    "heading": [
        ("In which direction is the robot moving?", "heading thing=robot"),
        ("Which way did the person in red walk at 2 s?", "heading thing=person in red t=2"),
        ("Where is the toy car heading?", "heading thing=toy car"),
        ("What is the heading of the ball at 1 s?", "heading thing=ball t=1"),
        ("Which direction was the football rolling in at 3 s?", "heading thing=football t=3"),
        ("In what direction does the robot vacuum drive?", "heading thing=robot vacuum"),
        ("Which way is the person going?", "heading thing=person"),
        ("Was the person moving to the left or to the right at 2 s?", "heading thing=person t=2"),
        ("Is the toy car going left or right?", "heading thing=toy car"),
        ("Towards which side did the robot move at 2.2 s?", "heading thing=robot t=2.2"),
    ],
    "towards": [
        ("Is the robot moving towards or away from the sofa?", "towards thing=robot to=sofa"),
        (
            "Was the person in red coming closer to the bench at 2 s?",
            "towards thing=person in red to=bench t=2",
        ),
        ("Is the ball getting closer to or farther from the table?", "towards thing=ball to=table"),
        ("Did the toy car drive towards the camera at 3 s?", "towards thing=toy car to=camera t=3"),
        ("Is the person approaching the camera?", "towards thing=person to=camera"),
        (
            "Was the football rolling away from the bench or towards it at 1 s?",
            "towards thing=football to=bench t=1",
        ),
        (
            "At 2 s, was the robot approaching or leaving the suitcase?",
            "towards thing=robot to=suitcase t=2",
        ),
        (
            "Is the person in blue walking away from the robot?",
            "towards thing=person in blue to=robot",
        ),
        ("Does the robot vacuum move toward the chair?", "towards thing=robot vacuum to=chair"),
        (
            "Was the distance between the person and the bench growing or shrinking at 2 s?",
            "towards thing=person to=bench t=2",
        ),
    ],
    "moved": [
        ("What moved?", "changed event=moved"),
        ("Which things moved between 1 s and 3 s?", "changed event=moved t=1..3"),
        ("What has been moved?", "changed event=moved"),
        ("What was moving at 2 s?", "changed event=moving t=2"),
        ("Which objects are moving now?", "changed event=moving"),
        ("Did anything move in the last 2 seconds?", "changed event=moved t=-2.."),
        ("Tell me what moved from 0.5 s to 2 s.", "changed event=moved t=0.5..2"),
        (
            "Which of the sofa, the robot and the chair moved?",
            "changed event=moved among=sofa|robot|chair",
        ),
        ("Did the mug move?", "changed event=moved among=mug"),
        ("Has the chair been moved since 1 s?", "changed event=moved among=chair t=1.."),
    ],
    "appeared": [
        ("What appeared?", "changed event=appeared"),
        ("Which thing appeared between 1 s and 4 s?", "changed event=appeared t=1..4"),
        ("What is new since 2 s?", "changed event=appeared t=2.."),
        ("What left?", "changed event=left"),
        ("What disappeared between 2 s and 4 s?", "changed event=left t=2..4"),
        ("Which object went away after 1 s?", "changed event=left t=1.."),
        ("Did anything appear in the last 3 seconds?", "changed event=appeared t=-3.."),
        ("What was taken away?", "changed event=left"),
        (
            "Which of the mug, the apple and the book disappeared?",
            "changed event=left among=mug|apple|book",
        ),
        ("What was put there after 2 s?", "changed event=appeared t=2.."),
    ],
    "when": [
        ("When did the robot stop?", "when thing=robot event=stopped"),
        ("When did the person in red start moving?", "when thing=person in red event=started"),
        ("At what time did the toy car come to a halt?", "when thing=toy car event=stopped"),
        ("When did the mug appear?", "when thing=mug event=appeared"),
        ("When did the apple disappear?", "when thing=apple event=left"),
        ("What time did the ball stop moving?", "when thing=ball event=stopped"),
        ("When was the globe last seen?", "when thing=globe event=last seen"),
        ("When did you first see the bottle?", "when thing=bottle event=first seen"),
        (
            "At which moment did the robot begin to move after 1 s?",
            "when thing=robot event=started t=1..",
        ),
        ("How long ago did the robot stop?", "when thing=robot event=stopped"),
    ],
    "order": [
        (
            "What happened first: the robot stopped or the mug appeared?",
            "order events=robot stopped|mug appeared",
        ),
        ("Did the robot stop before the mug appeared?", "order events=robot stopped|mug appeared"),
        ("Which appeared first, the mug or the apple?", "order events=mug appeared|apple appeared"),
        (
            "What stopped earlier, the robot or the toy car?",
            "order events=robot stopped|toy car stopped",
        ),
        (
            "Which came first: the apple disappearing or the bottle appearing?",
            "order events=apple left|bottle appeared",
        ),
        ("Did the mug appear after the apple disappeared?", "order events=mug appeared|apple left"),
        (
            "Who started moving first, the person in red or the robot?",
            "order events=person in red started|robot started",
        ),
        ("Which disappeared last, the mug or the book?", "order events=mug left|book left"),
        (
            "In which order did the mug, the apple and the book appear?",
            "order events=mug appeared|apple appeared|book appeared",
        ),
        ("Was the mug there before the bottle?", "order events=mug appeared|bottle appeared"),
    ],
    "visible": [
        ("Is the mug visible?", "visible thing=mug"),
        ("Can the camera see the chair at 2 s?", "visible thing=chair t=2"),
        ("Was the person in red visible at 3 s?", "visible thing=person in red t=3"),
        ("Is the ball in view?", "visible thing=ball"),
        ("Could you see the toy car from the camera at 1 s?", "visible thing=toy car t=1"),
        ("Is the lamp visible from the sofa?", "visible thing=lamp view=sofa"),
        ("Was the robot in sight at 2 s?", "visible thing=robot t=2"),
        ("Was the suitcase hidden at 2.5 s?", "visible thing=suitcase t=2.5"),
        ("Can one see the window from the table?", "visible thing=window view=table"),
        ("Is the book in the picture at 1 s?", "visible thing=book t=1"),
    ],
    "hidden_by": [
        ("What hides the mug?", "hidden_by thing=mug"),
        ("What was hiding the person in red at 2 s?", "hidden_by thing=person in red t=2"),
        ("Which thing blocks the view of the chair?", "hidden_by thing=chair"),
        ("By what is the ball hidden?", "hidden_by thing=ball"),
        ("What is the suitcase hidden by at 3 s?", "hidden_by thing=suitcase t=3"),
        ("What is in the way of seeing the robot?", "hidden_by thing=robot"),
        ("What occluded the toy car at 1.5 s?", "hidden_by thing=toy car t=1.5"),
        ("What covers the book?", "hidden_by thing=book"),
        ("Which object stood before the bench and hid it at 2 s?", "hidden_by thing=bench t=2"),
        ("What is the lamp behind so that I cannot see it?", "hidden_by thing=lamp"),
    ],
    "travelled": [
        ("How far did the robot move between 1 s and 3 s?", "travelled thing=robot t=1..3"),
        (
            "How far did the person in red walk from 0 s to 4 s?",
            "travelled thing=person in red t=0..4",
        ),
        ("What distance did the toy car travel?", "travelled thing=toy car"),
        ("How long is the path of the ball between 1 s and 2 s?", "travelled thing=ball t=1..2"),
        (
            "How much did the football roll in the last 2 seconds?",
            "travelled thing=football t=-2..",
        ),
        ("What way did the robot take between 1 s and 4 s?", "travelled thing=robot t=1..4"),
        ("Show the trajectory of the person from 1 s to 3 s.", "travelled thing=person t=1..3"),
        ("How far has the robot vacuum driven since 2 s?", "travelled thing=robot vacuum t=2.."),
        ("What path did the toy airplane follow?", "travelled thing=toy airplane"),
        (
            "How many metres did the person in blue go between 2 s and 4 s?",
            "travelled thing=person in blue t=2..4",
        ),
    ],
    "chain": [
        ("How far is the mug on the table from the sofa?", "distance a=mug on table b=sofa"),
        ("What colour is the thing nearest to the sofa?", "color thing=thing nearest to sofa"),
        ("Where is the thing that moved?", "where thing=thing that moved"),
        (
            "How fast was the person farthest from the camera at 2 s?",
            "speed thing=person farthest from camera t=2",
        ),
        (
            "What is next to the chair that is nearest to the table?",
            "related relation=next to to=chair nearest to table",
        ),
        ("Where was the mug that was moved at 1 s?", "where thing=mug that moved t=1"),
        (
            "How tall is the thing left of the sofa?",
            "size thing=thing left of sofa dimension=height",
        ),
        ("What colour is the biggest thing on the table?", "color thing=biggest thing on table"),
        (
            "How far is the fastest person from the bench at 3 s?",
            "distance a=fastest person b=bench t=3",
        ),
        (
            "Is the thing nearest to the mug left or right of the bottle?",
            "side thing=thing nearest to mug of=bottle",
        ),
    ],
}

FOLLOW_UPS: list[tuple[list[str], str]] = [
    (["Where is the mug?", "And where was it before?"], "where thing=mug t=before"),
    (["Where is the mug?", "What colour is it?"], "color thing=mug"),
    (["How fast was the robot at 2 s?", "And at 3 s?"], "speed thing=robot t=3"),
    (["How far is the mug from the sofa?", "And the bottle?"], "distance a=bottle b=sofa"),
    (["What is nearest to the sofa?", "How big is that?"], "size thing=it"),
    (
        ["Where is the person in red?", "Is he moving towards the bench?"],
        "towards thing=person in red to=bench",
    ),
    (["How many mugs are there?", "How about bottles?"], "count thing=bottles"),
    (["Is the mug on the table?", "And at 1 s?"], "relation thing=mug relation=on to=table t=1"),
    (["Where was the toy car at 2 s?", "How fast was it then?"], "speed thing=toy car t=2"),
    (["Where is the mug?", "When did it appear?"], "when thing=mug event=appeared"),
]

NOT_QUESTIONS: list[str] = [
    "Why is the mug red?",
    "Who owns the mug?",
    "What is the meaning of life?",
    "Sing me a song",
    "How heavy is the sofa?",
    "What will the robot do next?",
    "Is the mug happy?",
    "How much does the chair cost?",
    "asdf qwer zxcv",
    "What is the capital of France?",
    "Which brand is the laptop?",
    "Is the soup hot?",
    "",
    "?",
    "How far",
    "Remove the mug",
    "What does the book say?",
    "How old is the person in red?",
    "Where is",
    "Does the robot like the person?",
]
