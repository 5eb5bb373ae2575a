"""Writes GGUF files with random weights, small or big, of the architectures the tests need."""

from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

CONTEXT_LENGTH = 2048

# The letters a random model may say. Anything else (an end-of-text token after three words, half
# of a UTF-8 sequence that Ollama holds back) would make the length of an answer a matter of luck.
SPOKEN = [ord(letter) for letter in " abcdefghijklmnopqrstuvwxyz"]


@dataclass(frozen=True)
class Shape:
    """How many blocks, how wide, with how many attention heads."""

    blocks: int
    width: int
    feed_forward: int
    heads: int


TINY = Shape(blocks=2, width=64, feed_forward=128, heads=4)
BIG = Shape(blocks=12, width=1024, feed_forward=4096, heads=8)


def write_llama(path: Path, shape: Shape, seed: int) -> None:
    """A text model of architecture `llama` that answers endless lower-case nonsense."""
    writer = _writer(path, "llama", shape)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    tokens = _add_byte_vocabulary(writer)
    weights = _Weights(seed)
    writer.add_tensor("token_embd.weight", weights.matrix(tokens, shape.width))
    writer.add_tensor("output_norm.weight", weights.ones(shape.width))
    writer.add_tensor("output.weight", _only_spoken(weights.matrix(tokens, shape.width)))
    for block in range(shape.blocks):
        _add_llama_block(writer, f"blk.{block}", shape, weights)
    _write(writer)


def write_bert(path: Path, shape: Shape, seed: int) -> None:
    """An embedding model of architecture `bert`; `pooling_type` is what makes it one."""
    writer = _writer(path, "bert", shape)
    writer.add_layer_norm_eps(1e-12)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    tokens = _add_word_vocabulary(writer)
    weights = _Weights(seed)
    writer.add_tensor("token_embd.weight", weights.matrix(tokens, shape.width))
    writer.add_tensor("token_types.weight", weights.matrix(2, shape.width))
    writer.add_tensor("position_embd.weight", weights.matrix(CONTEXT_LENGTH, shape.width))
    _add_norm(writer, "token_embd_norm", shape, weights)
    for block in range(shape.blocks):
        _add_bert_block(writer, f"blk.{block}", shape, weights)
    _write(writer)


def _only_spoken(output: Matrix) -> Matrix:
    """Output weights by which every token that is not a letter gets the score 0."""
    # Ten times as far apart as random ones are, so that no sampling finds a 0 likely.
    spoken = np.zeros_like(output)
    rows = [_CONTROL_TOKENS + byte for byte in SPOKEN]
    spoken[rows] = output[rows] * 10
    return spoken


class _Weights:
    """Random numbers that are the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def matrix(self, rows: int, columns: int) -> Matrix:
        # Scaled so that a product keeps the size of its input, or deep stacks overflow.
        values = self._random.standard_normal((rows, columns), dtype=np.float32)
        values /= np.float32(np.sqrt(columns))
        return values

    def ones(self, size: int) -> Matrix:
        return np.ones(size, dtype=np.float32)

    def zeros(self, size: int) -> Matrix:
        return np.zeros(size, dtype=np.float32)


def _writer(path: Path, architecture: str, shape: Shape) -> gguf.GGUFWriter:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.blocks)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    return writer


def _write(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


_CONTROL_TOKENS = 3


def _add_byte_vocabulary(writer: gguf.GGUFWriter) -> int:
    """A SentencePiece vocabulary of three control tokens and the 256 bytes; tells its size."""
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(kinds + [gguf.TokenType.BYTE] * 256)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    return len(tokens)


def _add_word_vocabulary(writer: gguf.GGUFWriter) -> int:
    """A WordPiece vocabulary of special tokens and letters; tells its size."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    # U+2581 marks the beginning of a word.
    tokens = special + [f"\u2581{letter}" for letter in letters] + letters
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [gguf.TokenType.CONTROL] * len(special) + [gguf.TokenType.NORMAL] * 2 * len(letters)
    )
    writer.add_token_type_count(2)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(3)
    writer.add_sep_token_id(3)
    writer.add_mask_token_id(4)
    return len(tokens)


def _add_llama_block(writer: gguf.GGUFWriter, prefix: str, shape: Shape, weights: _Weights) -> None:
    width, wide = shape.width, shape.feed_forward
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"{prefix}.{name}.weight", weights.ones(width))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        writer.add_tensor(f"{prefix}.{name}.weight", weights.matrix(width, width))
    for name in ("ffn_gate", "ffn_up"):
        writer.add_tensor(f"{prefix}.{name}.weight", weights.matrix(wide, width))
    writer.add_tensor(f"{prefix}.ffn_down.weight", weights.matrix(width, wide))


def _add_bert_block(writer: gguf.GGUFWriter, prefix: str, shape: Shape, weights: _Weights) -> None:
    width, wide = shape.width, shape.feed_forward
    for name in ("attn_output_norm", "layer_output_norm"):
        _add_norm(writer, f"{prefix}.{name}", shape, weights)
    sizes = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (width, width))
    sizes |= {"ffn_up": (wide, width), "ffn_down": (width, wide)}
    for name, (rows, columns) in sizes.items():
        writer.add_tensor(f"{prefix}.{name}.weight", weights.matrix(rows, columns))
        writer.add_tensor(f"{prefix}.{name}.bias", weights.zeros(rows))


def _add_norm(writer: gguf.GGUFWriter, name: str, shape: Shape, weights: _Weights) -> None:
    writer.add_tensor(f"{name}.weight", weights.ones(shape.width))
    writer.add_tensor(f"{name}.bias", weights.zeros(shape.width))
