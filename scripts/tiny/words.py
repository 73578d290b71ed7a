"""The tokenizers of the grammar's words, and small text encoders whose padding counts the same at every length.

FLUX's pipeline pads a prompt to 512 tokens, and its transformer attends to all of them. Here a word sees only the words
after it, seven at most, so all padding is encoded the same. One padding token with a weight is then as good as
hundreds, and training is quick.
"""

from __future__ import annotations

from typing import Any, Final

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn

from scripts.tiny.scenes import list_words

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
LENGTH: Final = 512
"""Tokens that FLUX's pipeline pads a prompt to, unless told otherwise."""
WIDTH: Final = 96
POOLED: Final = 64
END_ID: Final = 1
_SEEN: Final = 7
_FAR: Final = -1e4


def make_tokenizer(longest: int) -> Any:
    """Return a tokenizer that knows the grammar's words in any case, and ends a prompt with `</s>`.

    Example:
        >>> make_tokenizer(77)("A red dragon").input_ids[-2:]  # unknown, end
        [2, 1]
    """
    vocabulary = {word: number for number, word in enumerate([PAD, END, UNKNOWN, *list_words()])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    made.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=PAD, eos_token=END, unk_token=UNKNOWN, model_max_length=longest
    )


class Text(nn.Module):
    """The two text encoders: CLIP's kind for the prompt as a whole, T5's kind for its words."""

    def __init__(self) -> None:
        super().__init__()
        self.tokenizer = make_tokenizer(LENGTH)
        size = len(self.tokenizer)
        self.clip = transformers.CLIPTextModel(
            transformers.CLIPTextConfig(
                hidden_size=POOLED,
                intermediate_size=2 * POOLED,
                num_attention_heads=4,
                num_hidden_layers=2,
                vocab_size=size,
                projection_dim=POOLED,
                bos_token_id=END_ID,
                eos_token_id=END_ID,
                pad_token_id=0,
            )
        )
        self.t5 = transformers.T5EncoderModel(
            transformers.T5Config(
                d_model=WIDTH,
                d_kv=24,
                d_ff=192,
                num_layers=2,
                num_heads=4,
                vocab_size=size,
                dropout_rate=0.0,
                is_encoder_decoder=False,
                is_decoder=False,
            )
        )
        self.look_ahead()

    @torch.no_grad()
    def look_ahead(self) -> None:
        """Let a word see itself and the next seven alone: the biases of all other distances are far below zero.

        Their weight in attention is 0, and so is their gradient: training leaves them as they are.
        """
        biases = self.t5.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
        half = len(biases) // 2  # the first half is for words before, the other for words after
        far = torch.ones(len(biases), dtype=torch.bool)
        far[0] = False
        far[half + 1 : half + 1 + _SEEN] = False
        biases[far] = _FAR

    def encode(self, captions: list[str], lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return words, the whole, and the weights of the words as a bias of attention (a logarithm).

        `lengths` has the tokens that each caption is padded to, as far as the transformer can see.
        """
        ids = self.tokenizer(captions, padding=True, return_tensors="pt").input_ids
        shown = ids.shape[1] + 1
        ids = torch.nn.functional.pad(ids, (0, 1 + _SEEN))
        words = self.t5(ids).last_hidden_state[:, :shown]
        whole = self.clip(ids).pooler_output
        is_word = ids[:, :shown] != 0
        number = is_word.sum(1)
        biases = torch.zeros(is_word.shape).masked_fill(~is_word, float("-inf"))
        rows = torch.arange(len(number))
        biases[rows, number] = (lengths - number).clamp(min=1).float().log()
        return words, whole, biases
