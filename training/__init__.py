# SPDX-License-Identifier: Apache-2.0
"""The recipe of the embedded model: data, training, evaluation. See README.md."""
