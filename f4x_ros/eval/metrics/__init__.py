# SPDX-License-Identifier: Apache-2.0
"""Numbers from what is true and what was said, with the field's own libraries."""
