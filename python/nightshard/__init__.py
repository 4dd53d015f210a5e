"""Reads Nightshard's generations and shards in process.

>>> import nightshard
>>> stores = nightshard.open("repository")["stores"]
>>> value = stores.get("s000157")
"""

from collections.abc import Mapping

from ._native import Dataset, Generation, NightshardError, open, open_shard

__all__ = ["Dataset", "Generation", "NightshardError", "open", "open_shard"]

Mapping.register(Dataset)
