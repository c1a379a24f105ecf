#include "model/tensor_names.h"

#include <array>

#include "base/check.h"

namespace hussar {
namespace {

struct Names {
  TensorRole role;
  std::string_view gguf, hf;
};

constexpr std::array<Names, 3> kModelNames = {{
    {TensorRole::kEmbedding, "token_embd.weight", "model.embed_tokens.weight"},
    {TensorRole::kOutputNorm, "output_norm.weight", "model.norm.weight"},
    {TensorRole::kHead, "output.weight", "lm_head.weight"},
}};
constexpr std::array<Names, 14> kLayerNames = {{
    {TensorRole::kAttentionNorm, "attn_norm.weight", "input_layernorm.weight"},
    {TensorRole::kQuery, "attn_q.weight", "self_attn.q_proj.weight"},
    {TensorRole::kKey, "attn_k.weight", "self_attn.k_proj.weight"},
    {TensorRole::kValue, "attn_v.weight", "self_attn.v_proj.weight"},
    {TensorRole::kQueryBias, "attn_q.bias", "self_attn.q_proj.bias"},
    {TensorRole::kKeyBias, "attn_k.bias", "self_attn.k_proj.bias"},
    {TensorRole::kValueBias, "attn_v.bias", "self_attn.v_proj.bias"},
    {TensorRole::kQueryNorm, "attn_q_norm.weight", "self_attn.q_norm.weight"},
    {TensorRole::kKeyNorm, "attn_k_norm.weight", "self_attn.k_norm.weight"},
    {TensorRole::kAttentionOutput, "attn_output.weight", "self_attn.o_proj.weight"},
    {TensorRole::kMlpNorm, "ffn_norm.weight", "post_attention_layernorm.weight"},
    {TensorRole::kGate, "ffn_gate.weight", "mlp.gate_proj.weight"},
    {TensorRole::kUp, "ffn_up.weight", "mlp.up_proj.weight"},
    {TensorRole::kDown, "ffn_down.weight", "mlp.down_proj.weight"},
}};

}  // namespace

std::string tensor_name(ModelFormat format, TensorRole role, int32_t layer) {
  const bool gguf = format == ModelFormat::kGguf;
  for (const Names& names : kModelNames) {
    if (names.role == role) return std::string(gguf ? names.gguf : names.hf);
  }
  for (const Names& names : kLayerNames) {
    if (names.role != role) continue;
    std::string name = (gguf ? "blk." : "model.layers.") + std::to_string(layer);
    return name.append(".").append(gguf ? names.gguf : names.hf);
  }
  CHECK_NOTE(false, "no such role");
}

bool is_beside_the_model(ModelFormat format, std::string_view name) {
  return format == ModelFormat::kGguf ? name == "rope_freqs.weight" : name.ends_with("rotary_emb.inv_freq");
}

}  // namespace hussar
