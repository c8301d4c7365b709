# SPDX-License-Identifier: Apache-2.0
"""The grammar: all shapes of questions, see `shapes`. One pattern a line, however long.

After `|||` stand the arguments of the tool: `thing=a` takes the slot {a}, `event='moved'` a word.
"""

from __future__ import annotations

from f4x_ros.core.ask.dialogue.shapes import Shape, shapes

SHAPES: tuple[Shape, ...] = (
    # --- order of events
    *shapes(
        "order",
        r"(?:what|which|who|which one) (?:happened|came|was|occurred) (?P<rank>first|earlier|last|later) ,? {clauses}",
        r"{clause1} (?P<rank>before|after) {clause2} ||| ",
        r"(?:what|which|who|which one) <start> (?P<rank>first|earlier|last|later) ,? {list} ||| event='started'",
        r"(?:what|which|who|which one) <stop> (?P<rank>first|earlier|last|later) ,? {list} ||| event='stopped'",
        r"(?:what|which|who|which one) <appear> (?P<rank>first|earlier|last|later) ,? {list} ||| event='appeared'",
        r"(?:what|which|who|which one) <leave> (?P<rank>first|earlier|last|later) ,? {list} ||| event='left'",
        r"in (?:which|what) order <do> {list} (?P<ev>(?:<appear>|<leave>|<stop>|<start>))",
        r"<be> {a} (?:there|here|present) (?P<rank>before|after) {b} ||| event='appeared'",
    ),
    # --- when
    *shapes(
        "when",
        r"(?:when|what time|at what time|at which time|at which moment|at what moment|since when) (?:<do>|<be>|has|have) {a} <stop> ||| thing=a event='stopped'",
        r"(?:when|what time|at what time|at which time|at which moment|at what moment) (?:<do>|<be>|has|have) {a} (?:<start>) ||| thing=a event='started'",
        r"(?:when|what time|at what time|at which time|at which moment|at what moment) (?:<do>|<be>|has|have) {a} <appear> ||| thing=a event='appeared'",
        r"(?:when|what time|at what time|at which time|at which moment|at what moment) (?:<do>|<be>|has|have) {a} <leave> ||| thing=a event='left'",
        r"(?:when|what time|at what time|at which moment) <be> {a} (?:last|most recently) (?:seen|visible|in view|in sight) ||| thing=a event='last_seen'",
        r"(?:when|what time|at what time|at which moment) <be> {a} first (?:seen|visible|in view|in sight) ||| thing=a event='first_seen'",
        r"(?:when|what time|at what time|at which moment) <do> (?:you|the camera|i) last see {a} ||| thing=a event='last_seen'",
        r"(?:when|what time|at what time|at which moment) <do> (?:you|the camera|i) first see {a} ||| thing=a event='first_seen'",
        r"how long ago <do> {a} <stop> ||| thing=a event='stopped'",
        r"how long ago <do> {a} (?:<start>) ||| thing=a event='started'",
        r"how long ago <do> {a} <appear> ||| thing=a event='appeared'",
        r"how long ago (?:<do>|<be>) {a} <leave> ||| thing=a event='left'",
    ),
    # --- towards or away
    *shapes(
        "towards",
        r"(?:<be>|<do>) {a} (?:<go> |getting |get )?TA {b} ||| thing=a to=b",
        r"(?:<be>|<do>) {a} (?:<go> |getting |get )?(?:towards?|closer to|nearer to) {b} ||| thing=a to=b expects='towards'",
        r"(?:<be>|<do>) {a} (?:approaching|approach|nearing|near) {b} ||| thing=a to=b expects='towards'",
        r"(?:<be>|<do>) {a} (?:<go> |getting |get )?(?:away from|farther from|further from|farther away from) {b} ||| thing=a to=b expects='away'",
        r"<be> {a} leaving {b} ||| thing=a to=b expects='away'",
        r"<be> the distance (?:between|of) {a} (?:and|to|from) {b} GS ||| thing=a to=b",
        r"<be> the distance (?:between|of) {a} (?:and|to|from) {b} (?:growing|increasing) ||| thing=a to=b expects='away'",
    ),
    # --- heading
    *shapes(
        "heading",
        r"(?:in |to )?(?:which|what) (?:direction|way) (?:<be>|<do>) {a} (?:<go>)(?: in| to)? ||| thing=a",
        r"where (?:<be>|<do>) {a} (?:<go>)(?: to| towards)? ||| thing=a",
        r"what <be> the (?:heading|direction of travel|direction of motion|course) of {a} ||| thing=a",
        r"(?:<be>|<do>) {a} (?:<go>) (?:to the |towards the )?LR ||| thing=a",
        r"(?:towards? |to )(?:which|what) side (?:<be>|<do>) {a} (?:<go>) ||| thing=a",
        r"(?:the )?heading of {a} ||| thing=a",
        view=True,
    ),
    # --- speed
    *shapes(
        "speed",
        r"how (?:fast|quick|quickly|rapidly) (?:<be>|<do>) {a}(?: (?:<go>))? ||| thing=a",
        r"what <be> the (?:speed|velocity|pace) of {a} ||| thing=a",
        r"(?:at|with) (?:what|which) (?:speed|velocity|pace) (?:<be>|<do>) {a} (?:<go>) ||| thing=a",
        r"how many (?:metres|m) (?:per|a) second (?:<be>|<do>) {a} (?:<go>) ||| thing=a",
        r"(?:the )?(?:speed|velocity) of {a} ||| thing=a",
    ),
    # --- travelled
    *shapes(
        "travelled",
        r"how (?:far|much) (?:<do>|has|have) {a} (?:<go>) ||| thing=a",
        r"what (?:distance|way|path|route) (?:<do>|has|have) {a} (?:<go>|take|taken|took|follow|followed|cover|covered) ||| thing=a",
        r"how long <be> the (?:path|way|route|track|trajectory) of {a} ||| thing=a",
        r"(?:what <be> )?(?:the )?(?:trajectory|path|way|route|track) (?:of|taken by) {a} ||| thing=a",
        r"how many metres (?:<do>|has|have) {a} (?:<go>) ||| thing=a",
    ),
    # --- what changed
    *shapes(
        "changed",
        r"<wh> of {list} (?:has |have |was |were )?(?:been )?moved ||| event='moved'",
        r"<wh> of {list} (?:<appear>) ||| event='appeared'",
        r"<wh> of {list} (?:has |have )?(?:<leave>) ||| event='left'",
        r"<wh> (?:<be>|has|have) (?:changed place|been displaced|shifted) ||| event='moved'",
        r"<wh> (?:has |have |was |were )?(?:been )?moved ||| event='moved'",
        r"<wh> (?:was|were|is|are) (?:moving|in motion) ||| event='moving'",
        r"<wh> (?:moves|is on the move) ||| event='moving'",
        r"(?:<do>|has|have) anything (?:move|moved|been moved) ||| event='moved'",
        r"(?:<do>|has|have) anything (?:<appear>) ||| event='appeared'",
        r"(?:<do>|has|have) anything (?:<leave>) ||| event='left'",
        r"<wh> (?:has |have )?(?:<appear>) ||| event='appeared'",
        r"<wh> (?:is|are|was) new ||| event='appeared'",
        r"<wh> (?:has |have |is |are )?(?:<leave>) ||| event='left'",
        r"(?:<do>|has|have|was|were) {list1} (?:move|moved|been moved) ||| event='moved'",
        r"(?:<do>|has|have) {list1} (?:<appear>) ||| event='appeared'",
        r"(?:<do>|has|have) {list1} (?:<leave>) ||| event='left'",
        r"<be> {list1} (?:moving|in motion) ||| event='moving'",
    ),
    # --- hidden, visible
    *shapes(
        "hidden_by",
        r"<wh> (?:hides|hid|hide|covers|covered|occludes|occluded|blocks|blocked|conceals|concealed|obscures|obscured) (?:the view (?:of|to|on) )?{a} ||| thing=a",
        r"<wh> (?:<be>) (?:hiding|covering|occluding|blocking|concealing|obscuring) (?:the view (?:of|to|on) )?{a} ||| thing=a",
        r"by (?:what|which thing|which object|whom) <be> {a} (?:hidden|covered|occluded|blocked|concealed) ||| thing=a",
        r"(?:what|who|which thing) <be> {a} (?:hidden|covered|occluded|blocked|concealed) (?:by|behind) ||| thing=a",
        r"<wh> <be> in the way of (?:seeing )?{a} ||| thing=a",
        r"<wh> stands? in front of {a} and hides it ||| thing=a",
        r"<wh> stood (?:in front of|before) {a} and hid it ||| thing=a",
        r"what <be> {a} behind so that (?:i|you|one|the camera) (?:cannot|can't|can not) see it ||| thing=a",
        view=True,
    ),
    *shapes(
        "visible",
        r"<be> {a} (?:visible|in view|in sight|seen|in the picture|in the image)(?: from {v})? ||| thing=a view=v expects='yes'",
        r"<be> {a} (?:hidden|out of sight|out of view|occluded|invisible)(?: from {v})? ||| thing=a view=v expects='no'",
        r"(?:can|could) (?:the camera|you|one|i|we) see {a} from {v} ||| thing=a view=v expects='yes'",
        r"(?:can|could) the camera see {a} ||| thing=a expects='yes'",
        r"(?:can|could) (?:one|i|we) see {a} ||| thing=a expects='yes'",
        view=True,
    ),
    # --- sides
    *shapes(
        "side",
        r"(?:<be>|<do>) {a} <stand>(?:to |on )?LR of {b} ||| thing=a of=b",
        r"(?:<be>|<do>) {a} <stand>on {b}'s? (?:left or right|LR) ||| thing=a view=b",
        r"(?:<be>|<do>|will|would) {a} <stand>LR ||| thing=a",
        r"LR of {b} <be> {a} ||| thing=a of=b",
        r"LR <be> {a} ||| thing=a",
        r"LR (?:of )?{b} <be> {a} ||| thing=a of=b",
        r"(?:on )?(?:which|what) side (?:of (?:me|you) )?(?:<be>|<do>|would) {a} <stand>(?:be )?(?:on)? ||| thing=a",
        r"(?:on )?(?:which|what) side of {b} (?:<be>|<do>) {a}(?: <stand>)?(?: on)? ||| thing=a of=b",
        r"{x} LR <be> {a} ||| thing=a of=x",
        view=True,
    ),
    *shapes(
        "front",
        r"(?:<be>|<do>) {a} <stand>FB {b} ||| thing=a of=b",
        r"FB {b} , where <be> {a} ||| thing=a of=b",
        r"FB {b} <be> {a} ||| thing=a of=b",
        r"(?:which|what) side of {b} , FB , <be> {a} ||| thing=a of=b",
        view=True,
    ),
    *shapes(
        "height",
        r"(?:<be>|<do>) {a} <stand>(?:at )?HL {b} ||| thing=a of=b",
        r"(?:<be>) {a} (?:higher|further up) than {b} ||| thing=a of=b expects='above'",
        r"(?:<be>) {a} (?:lower|further down) than {b} ||| thing=a of=b expects='below'",
    ),
    # --- direction in the map
    *shapes(
        "direction",
        r"(?:in )?(?:which|what) direction (?:of the map|in map axes|in the map) <be> {a} from {b} ||| thing=a of=b",
        r"(?:in )?(?:which|what) (?:direction|way) <be> {a} from {b} ||| thing=a of=b",
        r"(?:in )?(?:which|what) (?:direction|way) (?:<do>) {a} <stand>from {b} ||| thing=a of=b",
        r"what <be> the (?:map )?direction from {b} to {a} ||| thing=a of=b",
        r"(?:which|what) (?:map )?direction leads from {b} to {a} ||| thing=a of=b",
        r"(?:which|what) direction (?:do|must|should) (?:i|you|we|one) (?:have to )?go from {b} to {a} ||| thing=a of=b",
        r"where <be> {a} (?:relative to|with respect to|from) {b} ||| thing=a of=b",
        r"<be> {a} in (?:the )?[+-]?[xy](?: or [+-]?[xy]){1,3} direction (?:from|of) {b} ||| thing=a of=b",
    ),
    # --- nearest, closer
    *shapes(
        "closer",
        r"(?:<wh>|which one) (?:<be>) <near> (?:to|from) {b} , {list} ||| to=b",
        r"(?:<wh>|which one) (?:<be>) <far>(?: away)? from {b} , {list} ||| to=b which='farthest'",
        r"(?:<wh>|which one) of {list} <be> <near> (?:to|from) {b} ||| to=b",
        r"(?:<wh>|which one) of {list} <be> <far>(?: away)? from {b} ||| to=b which='farthest'",
        r"between {list} , (?:<wh>|which one) <be> <near> (?:to|from) {b} ||| to=b",
        r"between {list} , (?:<wh>|which one) <be> <far>(?: away)? from {b} ||| to=b which='farthest'",
        r"<be> {b} <near> to {c} or to {d} ||| to=b",
        r"<be> {b} <near> to {c} or {d} ||| to=b",
        r"<be> {c} or {d} <near> (?:to|from) {b} ||| to=b",
        r"<be> {c} or {d} <far>(?: away)? from {b} ||| to=b which='farthest'",
        r"<be> {c} <near> to {b} than {d} ||| to=b",
    ),
    *shapes(
        "nearest",
        r"(?:what|who|which thing|which object|which item|which one)(?: <be>| <stand>)? <thing><near>(?: thing| object| item)? to {b} ||| to=b",
        r"(?:what|who|which thing|which object|which item|which one) (?:stands|lies|sits|<be>) <near> to {b} ||| to=b",
        r"(?:what|who) <be> the (?:thing|object|item) <near> to {b} ||| to=b",
        r"(?:what|which thing|which object|which item|which one) <be> <far>(?: away)? from {b} ||| to=b which='farthest'",
        r"(?:what|who) <be> the (?:thing|object|item) <far>(?: away)? from {b} ||| to=b which='farthest'",
        r"which {a} <be> <near> to {b} ||| to=b thing=a",
        r"which {a} <be> <far>(?: away)? from {b} ||| to=b thing=a which='farthest'",
        r"(?:what is )?the (?:nearest|closest) (?:thing|object|item) to {b} ||| to=b",
        r"what <be> the (?:nearest|closest) {a} to {b} ||| to=b thing=a",
        r"which <be> the (?:nearest|closest) {a} to {b} ||| to=b thing=a",
    ),
    # --- comparisons
    *shapes(
        "compare",
        *(
            row
            for which, size, height, speed in (
                ("most", "bigger|larger|biggest|largest|greater", "taller|tallest|higher|highest",
                 "faster|fastest|quicker|quickest"),
                ("least", "smaller|smallest|littler", "shorter|shortest|lower|lowest",
                 "slower|slowest"),
            )
            for quantity, words in (("size", size), ("height", height), ("speed", speed))
            for row in (
                rf"(?:<wh>|which one) (?:<be>|<go>) (?:the )?(?:{words}) ,? {{list}} ||| quantity='{quantity}' which='{which}'",
                rf"(?:<wh>|which one) of {{list}} (?:<be>|<go>) (?:the )?(?:{words}) ||| quantity='{quantity}' which='{which}'",
                rf"between {{list}} , (?:<wh>|which one) (?:<be>|<go>) (?:the )?(?:{words}) ||| quantity='{quantity}' which='{which}'",
                rf"(?:<be>|<do>) {{c}} (?:<go> )?(?:{words}) than {{d}} ||| quantity='{quantity}' which='{which}'",
                rf"<be> {{list}} (?:{words}) ||| quantity='{quantity}' which='{which}'",
            )
        ),
    ),
    # --- distance
    *shapes(
        "distance",
        r"how far apart <be> (?:the two , )?{a} and {b} ||| a=a b=b",
        r"how far (?:away )?<be> {a} (?:away )?(?:from|to) {b} ||| a=a b=b",
        r"how far <be> it from {a} to {b} ||| a=a b=b",
        r"how far (?:away |off )?<be> {a}(?: away)? ||| a=a",
        r"how (?:close|near) <be> {a} (?:to|from) {b} ||| a=a b=b",
        r"(?:what <be> )?(?:the )?distance (?:between|from|of) {a} (?:and|to|from) {b} ||| a=a b=b",
        r"(?:what <be> )?(?:the )?distance (?:of|to) {a} ||| a=a",
        r"how many metres (?:<be> there |<be> )?(?:between|from) {a} (?:and|to) {b} ||| a=a b=b",
        r"how (?:much|large) (?:space|room|distance)? ?<be> (?:there )?between {a} and {b} ||| a=a b=b",
        r"how many metres <be> {a} (?:away )?from {b} ||| a=a b=b",
    ),
    # --- size and colour
    *shapes(
        "size",
        r"how (?:tall|high) <be> {a} ||| thing=a dimension='height'",
        r"how (?:big|large|small) <be> {a} ||| thing=a",
        r"how wide <be> {a} ||| thing=a dimension='width'",
        r"how long <be> {a} ||| thing=a dimension='length'",
        r"(?:what <be> )?(?:the )?height of {a} ||| thing=a dimension='height'",
        r"(?:what <be> )?(?:the )?width of {a} ||| thing=a dimension='width'",
        r"(?:what <be> )?(?:the )?length of {a} ||| thing=a dimension='length'",
        r"(?:what <be> )?(?:the )?(?:dimensions|size|extent|measurements) of {a} ||| thing=a",
        r"(?:what|which) size (?:<be>|<do>) {a}(?: have)? ||| thing=a",
    ),
    *shapes(
        "color",
        r"(?:what|which) color (?:<be>|<do>) {a}(?: have| painted)? ||| thing=a",
        r"(?:what <be> )?(?:the )?color of {a} ||| thing=a",
        r"(?:in|of) (?:what|which) color <be> {a}(?: painted| made)? ||| thing=a",
        r"{a} , (?:what|which) color <be> (?:it|that|they) ||| thing=a",
    ),
    # --- counts
    *shapes(
        "count",
        r"how many {a} (?:<be>|<do>)(?: there)? <stand><rel> {b} ||| thing=a to=b",
        r"how many {a} <stand><rel> {b} ||| thing=a to=b",
        r"(?:what <be> )?(?:the )?number of {a} <stand><rel> {b} ||| thing=a to=b",
        r"count (?:all )?{a} <stand><rel> {b} ||| thing=a to=b",
        r"how many {a} (?:<be>|exist)(?: there| here| present)? ||| thing=a",
        r"how many {a} (?:<can>) (?:you|we|i|the camera|the room|one) <see> ||| thing=a",
        r"how many {a} (?:<be> in view|<be> visible|<be> known) ||| thing=a",
        r"(?:what <be> )?(?:the )?number of {a} ||| thing=a",
        r"count (?:all )?{a} ||| thing=a",
        r"how many {a} ||| thing=a",
    ),
    # --- what something stands on
    *shapes(
        "support",
        r"(?:what|which thing|which object|which piece of furniture) (?:<be>|<do>) {a} <stand>(?:on|upon|in)(?: top of)? ||| thing=a",
        r"(?:what|which thing|which object|which piece of furniture) (?:<be>|<do>) {a} <stand>on ||| thing=a",
        r"on (?:what|which thing|which object|which piece of furniture) (?:<be>|<do>) {a} (?:stand|standing|lie|lying|sit|sitting|rest|resting) ||| thing=a",
        r"on (?:what|which thing|which object|which piece of furniture) (?:<be>|<do>) {a} ||| thing=a",
        r"what (?:<be>) (?:directly )?(?:under|underneath|beneath) {a} ||| thing=a",
        r"(?:what|who) (?:carries|supports|holds|bears|carried|held) {a} ||| thing=a",
    ),
    # --- relations
    *shapes(
        "related",
        r"<wh> (?:<be> )?<stand><rel> {b} ||| to=b",
        r"<wh> (?:<be>|<do>) there <rel> {b} ||| to=b",
        r"<wh> can (?:you|one|i) see <rel> {b} ||| to=b",
        r"(?:list |name )?(?:everything|all(?: things)?|all objects) (?:that (?:is|are|was|were) )?<stand><rel> {b} ||| to=b",
        r"which {a} <be> <stand><rel> {b} ||| thing=a to=b",
    ),
    *shapes(
        "relation",
        r"(?:<be>|<do>) there {a} <stand><rel> {b} ||| thing=a to=b",
        r"(?:<be>|<do>) {a} <stand><rel> {b} ||| thing=a to=b",
    ),
    # --- there, where
    *shapes(
        "find",
        r"<be> there (?:still )?{a} ||| thing=a",
        r"<be> {a} (?:still )?(?:there|here|present|in the room|in the scene|around) ||| thing=a",
        r"(?:<can>|have) (?:you|we|i|the room|the camera|one|it|the scene) (?:ever |already )?(?:<see>|seen|found|noticed) {a} ||| thing=a",
        r"(?:<can>|have) (?:you|we|i) (?:<see>|seen|found) {a} ||| thing=a",
        r"find {a} ||| thing=a",
        r"<wh> <be> (?:there|in the room|around|known) ||| thing='things'",
        r"<wh> (?:<can>) (?:you|we) see ||| thing='things'",
    ),
    *shapes(
        "where",
        r"where (?:<be>|<do>) {a}(?: be| located| now| stand| lie)? ||| thing=a",
        r"where {a} (?:<be>) ||| thing=a",
        r"where (?:can|could|may) (?:i|one|we) (?:find|see|get) {a} ||| thing=a",
        r"(?:what <be> )?(?:the )?(?:position|location|place|whereabouts|coordinates) of {a} ||| thing=a",
        r"(?:locate|where about <be>) {a} ||| thing=a",
    ),
)  # fmt: skip
"""All shapes, the particular ones first."""
