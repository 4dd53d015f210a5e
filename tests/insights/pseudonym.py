"""Pseudonyms of cards by docs/format.md, "Customer", and by the specification of BLAKE3 for one block.

Written from these two alone, so that builds are compared with something else than themselves.
"""

IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
# Four columns, then four diagonals.
MIXED = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
         (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
# The first and last block of the only chunk, which is the root; under a key.
FLAGS = 1 | 2 | 8 | 16
WORD = 0xFFFFFFFF
BLOCK = 64


def words(data):
    return [int.from_bytes(data[at:at + 4], "little") for at in range(0, len(data), 4)]


def rotated(word, bits):
    return (word >> bits | word << (32 - bits)) & WORD


def keyed_hash_of_block(key, block):
    """The first 32 bytes of the keyed hash of 64 bytes."""
    assert (len(key), len(block)) == (32, BLOCK)
    state = words(key) + IV[:4] + [0, 0, BLOCK, FLAGS]
    message = words(block)
    for _ in range(7):
        for at, (a, b, c, d) in enumerate(MIXED):
            for word, (first, second) in zip(message[2 * at:2 * at + 2], [(16, 12), (8, 7)]):
                state[a] = (state[a] + state[b] + word) & WORD
                state[d] = rotated(state[d] ^ state[a], first)
                state[c] = (state[c] + state[d]) & WORD
                state[b] = rotated(state[b] ^ state[c], second)
        message = [message[at] for at in PERMUTATION]
    halves = zip(state[:8], state[8:])
    return b"".join((low ^ high).to_bytes(4, "little") for low, high in halves)


def pseudonym(key, card):
    """The pseudonym of a card of at most 63 bytes."""
    ended = card.encode() + b"\x80"
    return keyed_hash_of_block(key, ended.ljust(BLOCK, b"\0"))[:16]
