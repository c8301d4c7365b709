# SPDX-License-Identifier: Apache-2.0
"""The Model Context Protocol: agent programs call the tools over a map and look at its pictures.

Needs the extra `[mcp]`. `server` makes the server of one map, `serve` runs it over stdio or HTTP.
"""
