# SPDX-License-Identifier: Apache-2.0
"""A page in the browser for one map: seen from anywhere and at any moment, asked, clicked at.

Needs the extra `[web]`. `server` is what a browser talks to, `talk` answers one page, on the one
thread that owns the map; `splats` packs the Gaussians, `tints` the masks. The page itself is in
`static`, plain JavaScript without libraries: it loads nothing from elsewhere.
"""
