#include "cli/random_model.h"

#include <gtest/gtest.h>

#include "model/config.h"

namespace hussar {
namespace {

TEST(RandomModel, HasTheShapeThatItsNameSays) {
  const auto model = make_random_model("smollm2-135m");
  ASSERT_TRUE(model.ok()) << model.error().message;
  const auto config = read_model_config(model->file);
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->architecture, "llama");
  EXPECT_TRUE(config->tied_head);
  EXPECT_EQ(config->context_trained, 8192);
  EXPECT_EQ(config->shape.layers, 30);
  EXPECT_EQ(config->shape.heads, 9);
  EXPECT_EQ(config->shape.kv_heads, 3);
  EXPECT_EQ(config->shape.head_dim, 64);
  EXPECT_EQ(config->shape.mlp_width, 1536);
  EXPECT_EQ(config->shape.vocab_size, 49152);
  EXPECT_EQ(model->file.tensors().size(), 30u * 9 + 2);
}

}  // namespace
}  // namespace hussar
