# SPDX-License-Identifier: Apache-2.0
"""Words to answers: relevancy per Gaussian, then masks, objects, clouds and "not present"."""
