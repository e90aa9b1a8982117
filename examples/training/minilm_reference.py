"""The network of all-MiniLM-L6-v2 in plain numpy and 64 bits: what the graphs of minilm.py are held against."""

import math

import numpy as np

erf = np.vectorize(math.erf)


def embedding(weights, ids, heads, layers):
    """Of one text, given by the ids of its tokens: the mean of what becomes of them, of unit length."""

    def wide(name):
        return weights[name].astype(np.float64)

    def linear(x, place):
        return x @ wide(f"{place}.weight").T + wide(f"{place}.bias")

    def normed(x, place):
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return scaled * wide(f"{place}.weight") + wide(f"{place}.bias")

    def attention(x, place):
        def split(part):
            return linear(x, f"{place}.self.{part}").reshape(len(x), heads, -1).transpose(1, 0, 2)

        query, key, value = split("query"), split("key"), split("value")
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        share = np.exp(scores - scores.max(axis=-1, keepdims=True))
        share /= share.sum(axis=-1, keepdims=True)
        return linear((share @ value).transpose(1, 0, 2).reshape(x.shape), f"{place}.output.dense")

    words = wide("embeddings.word_embeddings.weight")[ids]
    places = wide("embeddings.position_embeddings.weight")[: len(ids)]
    x = normed(words + places + wide("embeddings.token_type_embeddings.weight")[0], "embeddings.LayerNorm")
    for index in range(layers):
        place = f"encoder.layer.{index}"
        x = normed(attention(x, f"{place}.attention") + x, f"{place}.attention.output.LayerNorm")
        inner = linear(x, f"{place}.intermediate.dense")
        inner = inner * 0.5 * (1 + erf(inner / math.sqrt(2)))
        x = normed(linear(inner, f"{place}.output.dense") + x, f"{place}.output.LayerNorm")
    mean = x.mean(axis=0)
    return mean / np.linalg.norm(mean)
